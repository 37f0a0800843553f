# shellcheck shell=bash
# Shared by scripts/run, test, check and .ci/run, which source it: finds a Python and keeps a virtual environment of pinned
# packages. Needs bash (3.2 or later) and Python, nothing else.
#
#   prepare_environment NAME EXTRAS CONSTRAINTS [LOW HIGH]
#
# makes or mends the environment NAME (a folder of the project) with `pip install -c conf/constraints/CONSTRAINTS.txt -e .[EXTRAS]`
# and sets `venv` to its path. A stamp in it tells what it was made from, so that a second call installs nothing. One call
# works at a time, the others wait for it. What a killed call leaves behind is thrown away by the next one.

LOWEST_MINOR=10
HIGHEST_MINOR=13
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=

say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'sparksweep: %s\n' "$*" >&2
    exit 1
}

# --- a Python in range ---------------------------------------------------------------------------------------------

# Prints the version; fails where the virtual environment's modules are missing (Debian without python3-venv).
PROBE='
import sys
print("%d.%d.%d" % sys.version_info[:3])
import ensurepip, venv
'

in_range() { # VERSION LOW HIGH
    local minor=${1#3.}
    [ "$minor" != "$1" ] || return 1
    minor=${minor%%.*}
    [ "$minor" -ge "$2" ] && [ "$minor" -le "$3" ]
}

python_candidates() { # LOW HIGH; one a line
    local minor found
    if [ -n "${SPARKSWEEP_PYTHON:-}" ]; then
        printf '%s\n' "$SPARKSWEEP_PYTHON"
        return
    fi
    echo python3
    for ((minor = $2; minor >= $1; minor--)); do
        echo "python3.$minor"
    done
    # pyenv keeps versions that are on PATH only when chosen: there its stand-ins exist, but fail.
    for ((minor = $2; minor >= $1; minor--)); do
        for found in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/3.$minor."*/bin/python3; do
            printf '%s\n' "$found"
        done
    done
}

# Sets `python` and `python_version`, or ends with one line that says what to do.
find_python() { # LOW HIGH
    local candidate version status without_venv='' unfit=''
    while IFS= read -r candidate; do
        status=0
        version=$("$candidate" -c "$PROBE" 2>/dev/null </dev/null) || status=$?
        if [ -z "$version" ]; then
            continue # not there, or it does not run
        elif ! in_range "$version" "$1" "$2"; then
            unfit="$unfit${unfit:+, }$candidate is $version"
        elif [ "$status" -ne 0 ]; then
            without_venv=${without_venv:-$version ($(command -v "$candidate"))}
        else
            python=$(command -v "$candidate")
            python_version=$version
            return
        fi
    done < <(python_candidates "$1" "$2")
    no_python "$(range_text "$1" "$2")" "$without_venv" "$unfit"
}

range_text() { # LOW HIGH
    if [ "$1" -eq "$2" ]; then echo "3.$1"; else echo "3.$1 to 3.$2"; fi
}

no_python() { # RANGE WITHOUT_VENV UNFIT
    local other='set SPARKSWEEP_PYTHON=/path/to/another/python'
    if [ -n "$2" ]; then
        fail "Python $2 has no venv module; install it (Debian, Ubuntu: sudo apt-get install python3-venv) or $other"
    elif [ -n "${SPARKSWEEP_PYTHON:-}" ]; then
        fail "SPARKSWEEP_PYTHON=$SPARKSWEEP_PYTHON is no Python $1 (${3:-it does not run}); give the path of one, or unset it"
    fi
    fail "no Python $1 found (${3:-there is no python3 on PATH}); install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv) or $other"
}

# --- the environment -----------------------------------------------------------------------------------------------

prepare_environment() { # NAME EXTRAS CONSTRAINTS [LOW HIGH]
    local name=$1 extras=$2 constraints=conf/constraints/$3.txt
    local low=${4:-$LOWEST_MINOR} high=${5:-$HIGHEST_MINOR}
    local state=$root/$name-setup
    local log=$state/install.log unfinished=$state/unfinished
    venv=$root/$name
    if is_ready "$extras" "$constraints"; then
        return
    fi
    local python python_version
    find_python "$low" "$high"
    { mkdir -p "$state" && : >"$state/lock"; } 2>/dev/null ||
        fail "cannot write in $root, where $name is to be made; make the folder writable or copy the project to one that is"
    exec 9>>"$state/lock"
    take_lock
    if ! is_ready "$extras" "$constraints"; then
        trap 'say "sparksweep: interrupted; the next call starts the installation anew"; exit 130' INT
        make_environment
        trap - INT
    fi
    exec 9>&- # what runs from here on must not hold the lock
}

# Python's own flock, since not every system has the command. The lock belongs to this shell's open file, so it outlives the
# Python that took it and ends with the shell and what it started, however they end.
take_lock() {
    "$python" -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("another call is installing; waiting for it", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
'
}

is_ready() { # EXTRAS CONSTRAINTS
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made-from-$1" 2>/dev/null)" = "$(fingerprint "$2")" ] && is_python_asked_for
}

# An environment cannot be moved, so its place is part of what it is made from.
fingerprint() { # CONSTRAINTS
    {
        printf '%s\n' "$root"
        "$venv/bin/python" -c 'import sys; print(sys.version)' 2>/dev/null
        cat "$root/setup.py" "$root/$1"
    } | cksum
}

is_python_asked_for() {
    [ -z "${SPARKSWEEP_PYTHON:-}" ] || [ "$(version_of "$SPARKSWEEP_PYTHON")" = "$(version_of "$venv/bin/python")" ]
}

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true; }

# Not one that a killed call left, whose Python went away, or that came here with a moved folder.
can_be_mended() { # LOW HIGH
    [ ! -e "$unfinished" ] && grep -qsF "$venv" "$venv/bin/activate" && "$venv/bin/python" -c 'import pip' 2>/dev/null &&
        in_range "$(version_of "$venv/bin/python")" "$1" "$2" && is_python_asked_for
}

make_environment() {
    local begin=$SECONDS
    if ! can_be_mended "$low" "$high"; then
        say "making $name with Python $python_version ($python)"
        : >"$unfinished"
        "$python" -m venv --clear "$venv" >"$log" 2>&1 || fail "cannot make $venv: $(last_words); pip's and venv's own words: $log"
    fi
    : >"$unfinished"
    say "installing sparksweep[$extras] with the versions of $constraints (0.5 GB to fetch the first time; log: $log)"
    pip_install -c "$constraints" -e ".[$extras]" || pip_failed
    rm -f "$venv/share/sparksweep/classes.jsa" # of the jars before
    stamp "$extras"
    rm -f "$unfinished"
    say "installed in $((SECONDS - begin)) s"
}

# What has the extras local,dev has local too.
stamp() { # EXTRAS
    fingerprint "$constraints" >"$venv/made-from-$1"
    [ "$1" = "${1%,*}" ] || stamp "${1%,*}"
}

# The user's own pip settings hold, but for those that cannot work in a virtual environment or that ask questions. The two
# variables pin what packages are built with, each read by other versions of pip; they are lists split at blanks, so the path
# in them is relative.
pip_install() { # PIP'S ARGUMENTS
    (
        cd "$root" || exit
        export PIP_DISABLE_PIP_VERSION_CHECK=1
        export PIP_CONSTRAINT="$constraints${PIP_CONSTRAINT:+ $PIP_CONSTRAINT}" PIP_BUILD_CONSTRAINT=$constraints
        "$venv/bin/python" -m pip install --no-user --no-input --progress-bar off "$@"
    ) 2>&1 </dev/null | show_steps
}

# Everything goes to the log; on the terminal only what takes time.
show_steps() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line"
        if [[ $line =~ Downloading\ ([^ ]*/)?([^ /-]+-[^ -]+).*\ \(([0-9]+)(\.[0-9]+)?\ MB\) ]]; then
            [ "${BASH_REMATCH[3]}" -lt 10 ] || say "  fetching ${BASH_REMATCH[2]} (${BASH_REMATCH[3]} MB)"
        elif [[ $line =~ (Building\ wheel|Running\ setup.py\ install)\ for\ ([^ :]+).*started ]]; then
            say "  building ${BASH_REMATCH[2]}"
        elif [[ $line == Installing\ collected\ packages:* ]]; then
            say "  unpacking"
        fi
    done >"$log"
}

pip_failed() {
    if grep -qiE 'no space left|disk quota exceeded' "$log"; then
        fail "no space left for $venv (it needs 1.5 GB); make room and run this again; pip's own words: $log"
    elif grep -qE 'CERTIFICATE_VERIFY_FAILED' "$log"; then
        fail "pip does not trust the package index's certificate; set PIP_CERT=/path/to/your/ca.crt and run this again; pip's own words: $log"
    elif grep -qiE 'NewConnectionError|NameResolutionError|ProxyError|Connect(ion)?Timeout|Read timed out|Network is unreachable|Connection (refused|reset|aborted)' "$log"; then
        rm -f "$unfinished" # pip fetches everything before it changes anything
        fail "no network: pip cannot reach its package index; connect, or set PIP_INDEX_URL to one within reach, and run this again; pip's own words: $log"
    fi
    fail "pip failed: $(last_words); pip's own words: $log"
}

last_words() {
    local words
    words=$(grep -E '^ *(ERROR|error):' "$log" | tail -n 1) || words=$(tail -n 1 "$log")
    printf '%s' "${words:-no reason given}"
}

# From an archive of its classes Spark's JVM starts in half the time. It takes a minute to make, so this is for those who
# start dozens, and in the background: `archive_process` is set, and `wait_for_class_archive` waits for it. Without an
# archive all works too.
archive_process=

begin_class_archive() {
    local archive=$venv/share/sparksweep/classes.jsa
    [ ! -e "$archive" ] || return 0
    "$venv/bin/python" -m sparksweep.class_archive >"$venv-setup/class-archive.log" 2>&1 </dev/null &
    archive_process=$!
}

wait_for_class_archive() {
    [ -z "$archive_process" ] || wait "$archive_process" ||
        say "no archive of Java classes, so each JVM starts slowly; why: $venv-setup/class-archive.log"
    archive_process=
}

end_class_archive() { [ -z "$archive_process" ] || kill "$archive_process" 2>/dev/null || true; }

# --- what runs in it -----------------------------------------------------------------------------------------------

# Another Spark or another Python on the worker side would answer in place of the environment's own.
set_others_aside() {
    local name
    for name in SPARK_HOME PYTHONPATH PYTHONHOME PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYSPARK_DRIVER_PYTHON_OPTS; do
        if [ -n "${!name:-}" ]; then
            say "setting $name=${!name} aside: $(basename "$venv") has its own"
            unset "$name"
        fi
    done
}
