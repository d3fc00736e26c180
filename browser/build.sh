#!/bin/sh
# Builds the files that the server and the npm package deliver from src, into the directory that
# the argument names. They are in the repository, so that nobody has to build anything. `make lint`
# fails if they do not match src. Needs npm, for terser: it makes the client 200 bytes smaller than
# esbuild alone does.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

bundle() {
	source=$1 target=$2
	shift 2
	go run github.com/evanw/esbuild/cmd/esbuild@v0.28.2 "src/$source" --bundle --minify \
		--target=es2022 --charset=utf8 --log-level=warning --outfile="$out/$target" "$@"
}

# Names that end with "Since" are those of the client's own properties, which no page sees.
shorten() {
	npx --no-install terser "$out/$1" --output "$out/$1" --comments \
		--compress passes=3,ecma=2022,unsafe_arrows=true,unsafe_methods=true,pure_getters=true --mangle "$2" --mangle-props 'regex=/Since$/'
}

bundle client.js client.js --format=esm
bundle client.js client.cjs --format=cjs --platform=node
bundle io.js io.js --format=iife
bundle peers.js peers.js --format=esm
# The application's bundler finds React. Both modules have to share one list of rooms.
bundle react.js react.js --format=esm --external:react --external:./peers.js
shorten client.js --module
shorten io.js --toplevel
shorten peers.js --module

# A CommonJS module has no default export.
sed 's/, io as default//' client.d.ts >"$out/client.d.cts"
