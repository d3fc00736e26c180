#!/bin/sh
# Makes the files that the server and the npm package deliver of those in src, into the
# directory that is named. They are kept in the tree, so that nobody has to build anything;
# `make lint` finds out when they are not of these sources.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

bundle() {
	source=$1 target=$2
	shift 2
	go run github.com/evanw/esbuild/cmd/esbuild@v0.28.2 "src/$source" --bundle --minify \
		--target=es2022 --charset=utf8 --log-level=warning --outfile="$out/$target" "$@"
}

bundle client.js client.js --format=esm
bundle client.js client.cjs --format=cjs --platform=node
bundle io.js io.js --format=iife
bundle peers.js peers.js --format=esm

# What is required has no default.
sed 's/, io as default//' client.d.ts >"$out/client.d.cts"
