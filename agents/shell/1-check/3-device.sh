# ---- the device -----------------------------------------------------------------------------------------

TOOLS='cat chmod cp du env grep head ln ls mkdir mv readlink rm setsid sha256sum sleep tail touch wc'

open_workdir() { # as the controller wrote it -> workdir, absolute, and the current folder
  local why tool folder
  case $1 in
    '~' | '~/'*)
      [ -n "${HOME-}" ] || err no-home "HOME is not set on the device: give an absolute workdir" || return
      workdir=$HOME${1#'~'}
      ;;
    /*) workdir=$1 ;;
    *) err usage "workdir must be absolute or begin with ~/: $1" || return ;;
  esac
  # shellcheck disable=SC2086 # names
  type $TOOLS >/dev/null 2>&1 || for tool in $TOOLS; do
    command -v "$tool" >/dev/null || err no-tool "$tool" || return
  done
  for folder in cas incoming trees spool lease; do
    [ -d "$workdir/$folder" ] || why=$(mkdir -p "$workdir/$folder" 2>&1) || blame "$why" || return
  done
  cd -P "$workdir" 2>/dev/null || { why=$(cd "$workdir" 2>&1) && cd -P "$workdir"; } || blame "$why" || return
  workdir=$PWD
  [ -w . ] || err unwritable "$workdir: no right to write" || return
  find_boot
}
find_boot() { { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || boot=-; }

clock() { # -> now: seconds since the device started, and uptime: to 1/100 s; a wall clock may jump, this one does not
  { read -r uptime _ </proc/uptime; } 2>/dev/null
  if [ -z "$uptime" ]; then # Android keeps it from apps: a new process was born just now, in 1/100 s
    now=$(look self && put "$born")
    uptime=${now%??}.${now#"${now%??}"}
  fi
  now=${uptime%%.*}
}
elapsed() { # earlier uptime -> REPLY: hundredths of a second since
  clock
  REPLY=$(((now - ${1%%.*}) * 100 + 1${uptime#*.} - 1${1#*.}))
}

look() { # pid -> state parent group session born core, and user_time system_time of it, waited_user waited_system of
  # its children that ended, in jiffies; fails when there is no such process. See proc(5), stat
  local line
  { fetch "/proc/$1/stat"; } 2>/dev/null && take_apart "$line"
}
take_apart() { # line of a process -> as look
  local rest="${1#*') '}" # the name, which may hold anything, is cut off; shells need ten times as long for one `##`
  while :; do
    case $rest in *') '*) rest=${rest#*') '} ;; *) break ;; esac
  done
  # shellcheck disable=SC2086 # splitting is meant
  set -- $rest
  state=$1 parent=$2 group=$3 session=$4 born=${20} core=${37}
  user_time=${12} system_time=${13} waited_user=${14} waited_system=${15}
}

offset_of() { # pid descriptor -> REPLY: where it stands in its file; no fork. See proc(5), fdinfo
  REPLY=0
  { read -r _ REPLY <"/proc/$1/fdinfo/$2"; } 2>/dev/null
  REPLY=${REPLY:-0}
}

is_ours() { look "$1" && [ "$parent" = $$ ]; } # pid ; a child's number cannot be another's before it was waited for
doze() { sleep 0.1 2>/dev/null || sleep 1; }

size_of() { # file -> REPLY
  # shellcheck disable=SC2046 # some `wc` pad with spaces
  set -- $(wc -c <"$1" 2>/dev/null)
  REPLY=${1:-0}
}

wipe() { # paths ; as `rm -rf`, and no process where nothing is there, as mostly
  local path
  for path do
    [ ! -e "$path" ] && [ ! -h "$path" ] || { rm -rf "$@"; return; }
  done
}

is_plain() { # folder path ; a regular file, and no symbolic link on the way: it may lead out of the workdir
  local path="$1" rest="$2/"
  while [ -n "$rest" ]; do
    path=$path/${rest%%/*}
    rest=${rest#*/}
    [ ! -h "$path" ] || return 1
  done
  [ -f "$path" ]
}
