#!/bin/bash
# usage: run.sh SUITE CASES [PROGRAM]     runs CASES in the Neovim of a Debian suite (see
# get_neovim.sh), with private HOME and XDG folders, in an empty folder of its own. CASES is a file of
# this folder: Lua that the driver runs inside Neovim, or Python that drives it from outside. PROGRAM
# stands for `kinglet`; without it the scripted server does. Exit status 77: that Neovim cannot be had
# here today, and may be missing. KINGLET_CASE=TEXT runs only the Lua cases whose name holds TEXT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
suite=$1 cases=$2
nvim=$("$here/get_neovim.sh" "$suite")
"$nvim" --version 2>/dev/null | head -n 1

tmp=$(mktemp -d)
trap '"$KINGLET_PROGRAM" stop >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT
mkdir -m 700 -p "$tmp"/{home,data,state,cache,config,run,work/.git}
export HOME=$tmp/home XDG_DATA_HOME=$tmp/data XDG_STATE_HOME=$tmp/state XDG_CACHE_HOME=$tmp/cache \
  XDG_CONFIG_HOME=$tmp/config XDG_RUNTIME_DIR=$tmp/run
export KINGLET_CASES=$here/$cases KINGLET_PROGRAM=${3:-$here/scripted_server.py}
[ -n "${3:-}" ] || export KINGLET_SCRIPTED=1
cd "$tmp/work"
if [[ $cases = *.py ]]; then
  timeout 600 /usr/bin/python3 -B "$here/$cases" "$nvim"
  exit
fi
# Neovim writes its messages to stderr; they matter only when something failed.
timeout 600 "$nvim" --headless -i NONE -u "$here/init.lua" -c "luafile $here/driver.lua" \
  2>"$tmp/messages" || { status=$?; tail -c 4000 "$tmp/messages" >&2; exit "$status"; }
