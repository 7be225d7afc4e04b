# Shared by tools/*.sh: says what it does, installs what is missing, configures and builds. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n==> %s\n' "$*"; }

# Debian packages of tools/packages.txt that are not there yet.
install_packages() {
  local missing=() package
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done < tools/packages.txt
  if [ ${#missing[@]} -eq 0 ]; then
    return
  fi
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "error: these packages need root: run as root or install sudo" >&2; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -q
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# A Python environment of our own for the tests: build/venv.
install_python() {
  if [ ! -e build/venv/done ] || ! cmp -s tools/requirements.txt build/venv/done; then
    say "Making build/venv with the Python packages of the tests"
    rm -rf build/venv
    # Debian's own interpreter, for which python3-venv is installed.
    /usr/bin/python3 -m venv build/venv
    build/venv/bin/pip install -q --disable-pip-version-check -r tools/requirements.txt
    cp tools/requirements.txt build/venv/done
  fi
}

# configure PRESET; build PRESET TARGET...
configure() {
  say "Configuring build/$1"
  cmake --preset "$1" > "build/configure-$1.log" 2>&1 || { cat "build/configure-$1.log" >&2; exit 1; }
}
build() {
  local preset=$1
  shift
  say "Building build/$preset ($*)"
  ninja -C "build/$preset" "$@"
}
mkdir -p build
