#!/bin/bash
# usage: get_peer.sh FOLDER: puts a prebuilt llama.cpp and its headers into FOLDER, outside the
# repository. What `./dev bench peer FOLDER` compares with.
set -euo pipefail
folder=${1:?usage: get_peer.sh FOLDER}
version=3.22.1 # of the npm package; it brings llama.cpp v0.5.0
mkdir -p "$folder"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent \
  "node-llama-cpp@$version"
if [ ! -d "$folder/llama.cpp" ]; then
  git clone --quiet "$folder/node_modules/node-llama-cpp/llama/gitRelease.bundle" \
    "$folder/llama.cpp"
fi
echo "$folder"
