#!/bin/bash
# usage: get_neovim.sh SUITE      prints the path of a Neovim that runs on Debian 12
#
#   bookworm   Debian 12's own package (0.7.2); must be installed
#   trixie     Debian 13's (0.10.4)
#   forky      Debian testing's: it drifts, so who cannot get it may go on without (exit status 77)
#
# The newer ones are never installed. A private apt configuration with an empty dpkg status makes apt
# download Neovim with all it needs, C library and loader included; the packages are unpacked in the
# cache folder, and patchelf points that one program at the libraries beside it. What Neovim starts
# (a language server) runs on the machine's own libraries. The mirror is the one this machine's apt
# already uses for Debian. Needs: patchelf, debian-archive-keyring.
set -euo pipefail

suite=${1:?usage: get_neovim.sh bookworm|trixie|forky}
say() { echo "get_neovim.sh: $*" >&2; }

if [ "$suite" = bookworm ]; then
  command -v nvim || { say "no nvim in PATH; install Debian's package: apt-get install neovim"; exit 1; }
  exit 0
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/kinglet-dev
place=$cache/nvim-$suite
mkdir -p "$cache"
exec 9>"$place.lock"
flock 9
if [ -x "$place/nvim" ]; then
  echo "$place/nvim"
  exit 0
fi

# A suite that drifts may be missing today; everything else must be there.
give_up() {
  say "$suite: $1"
  [ "$suite" = forky ] && exit 77
  exit 1
}
command -v patchelf >/dev/null || { say "patchelf is missing: apt-get install patchelf"; exit 1; }

work=$(mktemp -d "$place.XXXXXX")
trap 'rm -rf "$work"' EXIT
apt=$work/apt root=$work/root
mkdir -p "$root" "$apt"/{lists/partial,cache/archives/partial}
: >"$apt/status"

# shellcheck disable=SC2016  # apt expands the names in the format
mirror=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' \
  'Created-By: Packages' 'Component: main' | awk '$1 !~ /-/ && $2 ~ /\/debian\/*$/ { print $2; exit }')
[ -n "$mirror" ] || give_up "apt's sources name no Debian mirror"
cat >"$apt/neovim.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Architectures: $(dpkg --print-architecture)
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
# Testing's index is valid for a week only, and a mirror may lag behind that: signed is enough here.
cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/neovim.sources";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
CONF
export APT_CONFIG=$apt/apt.conf
say "fetching Neovim from Debian $suite (once, about 15 MB; kept in $place)"
apt-get -qq update >"$apt/log" 2>&1 &&
  apt-get -y -qq --no-install-recommends --download-only install neovim >>"$apt/log" 2>&1 ||
  { tail -n 5 "$apt/log" >&2; give_up "its packages cannot be fetched"; }

for package in "$apt"/cache/archives/*.deb; do
  basename "$package"
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --exclude=./usr/share/doc \
    --exclude=./usr/share/locale --exclude='./usr/lib/*/gconv'
done >"$work/packages.txt"
rm -rf "$apt"

# The paths below are those of the final place: the folder is moved there whole, or not at all.
loader=$(cd "$root" && find . -name 'ld-linux*.so.*' ! -type l | head -n 1)
libraries=$(cd "$root" && find . -name 'libluajit-5.1.so.2' | head -n 1)
[ -n "$loader" ] && [ -n "$libraries" ] || give_up "its packages hold no loader or no LuaJIT"
libraries=$place/root/$(dirname "${libraries#./}")
# DT_RPATH, not RUNPATH: it also covers what the libraries load. Children do not inherit it.
patchelf --set-interpreter "$place/root/${loader#./}" --force-rpath \
  --set-rpath "$libraries" "$root/usr/bin/nvim"
cat >"$work/nvim" <<LAUNCHER
#!/bin/sh
export VIMRUNTIME='$place/root/usr/share/nvim/runtime'
exec '$place/root/usr/bin/nvim' --cmd 'set runtimepath+=$place/root/usr/lib/nvim,$libraries/nvim' "\$@"
LAUNCHER
chmod +x "$work/nvim"
rm -rf "$place"
chmod 755 "$work"
mv -T "$work" "$place"
trap - EXIT
version=$("$place/nvim" --version 2>&1) || { mv -T "$place" "$place.broken"; say "$version"; give_up "it does not start"; }
say "${version%%$'\n'*}"
echo "$place/nvim"
