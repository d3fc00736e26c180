package browser_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/browser"
)

// On a slow network, a page can do nothing before the client is loaded.
func TestTheClientFitsIntoSixKilobytes(t *testing.T) {
	for _, name := range []string{"client.js", "io.js"} {
		content, err := browser.Files.ReadFile("dist/" + name)
		require.NoError(t, err)
		var gzipped bytes.Buffer
		compressor, err := gzip.NewWriterLevel(&gzipped, gzip.BestCompression)
		require.NoError(t, err)
		_, err = compressor.Write(content)
		require.NoError(t, err)
		require.NoError(t, compressor.Close())
		t.Logf("%s: %d bytes, %d gzipped", name, len(content), gzipped.Len())
		require.LessOrEqual(t, gzipped.Len(), 6<<10, name)
	}
}
