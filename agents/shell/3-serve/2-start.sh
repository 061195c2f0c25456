# ---- the start of a job ---------------------------------------------------------------------------------

do_start() { # epoch job wall_s silence_s n_env K=V... n_folders folder... n_copies name=digest... argv...
  local job="$2" limit="$1 $3 $4" mark="lease/ran/$1.$2" why
  valid "$1" || tell_stale "$1" || return
  limit="$limit $lease_text"
  is_name "$2" && is_number "$3" && is_number "$4" || err usage "start epoch job wall_s silence_s ..." || return
  # A name counts once under a lease: a connection that comes back to life may ask for a job that has run meanwhile.
  [ ! -d "spool/$job" ] && [ ! -f "$mark" ] || err exists "$job" || return
  attempt mkdir -p "spool/$job/out" "spool/$job/tmp" lease/ran || blame "$why" || return
  if ! be_first "$mark"; then
    [ ! -f "$mark" ] || err exists "$job" || return # another session was faster
    blame 'No space left' || return
  fi
  { put "$$ $agent_born $boot" >"spool/$job/starter"; } 2>/dev/null # see is_starting
  shift 4
  prepare "$@" && launch || { rm -rf "spool/${job:?}" "$mark" && return 1; }
}

prepare() { # as do_start, from n_env on ; fills the folder of job, which runs under limit
  local dir="spool/$job" out="spool/$job/out" given=' ' command='' kind count word why search="$PATH"
  for kind in setting folder copy; do
    is_number "$1" && [ "$1" -lt $(($# - 1)) ] || err usage "start: the count of ${kind}s is wrong" || return
    count=$1 && shift
    while [ "$count" -gt 0 ]; do
      "prepare_$kind" "$1" || return
      shift && count=$((count - 1))
    done
  done
  for word in "PATH=$PATH" "HOME=${HOME:-/}" LANG=C "TMPDIR=$workdir/$dir/tmp"; do
    case $given in *" ${word%%=*} "*) continue ;; esac # toybox's `env` would keep both
    encode "$word" && command=$NL$REPLY$command
  done
  case $1 in '' | *=*) err usage "not a program: $1" || return ;; esac # `env` would take it for a variable
  require_program "$1" || return
  for word do
    encode "$word" && command=$command$NL$REPLY
  done
  attempt write_job || blame "${why:-No space left}" || return
}
write_job() {
  put "$limit" >"$dir/limit" && put "${command#"$NL"}" >"$dir/command" &&
    # Room for the end is taken now: see conclude.
    put '-             ' >"$dir/why" &&
    put "                                                                                " >"$dir/exit.new" &&
    true >"$dir/stdout" && true >"$dir/stderr" && true >"$dir/telemetry"
}
attempt() { "$@" 2>/dev/null || why=$("$@" 2>&1); } # command... ; fails with what it said in why

prepare_setting() { # K=V
  case $1 in *=*) ;; *) err usage "not K=V: $1" || return ;; esac
  case ${1%%=*} in '' | [0-9]* | *[!A-Za-z0-9_]*) err usage "not K=V: $1" || return ;; esac
  case $1 in LD_LIBRARY_PATH=*'~/'*) at_home "${1#*=}" && set -- "LD_LIBRARY_PATH=$REPLY" ;; esac
  case $1 in PATH=*) search=${1#PATH=} ;; esac
  encode "$1" && command=$command$NL$REPLY given="$given${1%%=*} "
}
at_home() { # a list of folders as in PATH -> REPLY, with each `~/` at a beginning expanded
  local rest="$1:" one
  REPLY=''
  while [ -n "$rest" ]; do
    one=${rest%%:*} rest=${rest#*:}
    case $one in '~/'*) one=${HOME-}${one#'~'} ;; esac
    REPLY=$REPLY:$one
  done
  REPLY=${REPLY#:}
}
prepare_folder() { # path
  is_path "$1" || err usage "not a relative path: $1" || return
  why=$(mkdir -p "$out/$1" 2>&1) || blame "$why" || return
}
prepare_copy() { # path=digest ; no link, since load_and_run writes its cache files anew at the end of every round
  is_path "${1%=*}" && is_digest "${1##*=}" || err usage "not path=digest: $1" || return
  entry "${1##*=}" && [ -f "$REPLY" ] || err missing "${1##*=}" || return
  why=$(cat "$REPLY" 2>&1 >"$out/${1%=*}") || blame "$why" || return
}

launch() {
  local said started
  count_forks || started=-
  # The supervisor says the command's pid and closes its output: its death is an end of file, not a wait for ever.
  # Its descriptor 5 is a pipe that nobody writes to, see `await`: its reading end is closed at once, by the `:`.
  said=$(
    exec 3>&1 4<&- </dev/null
    setsid sh "$self" supervise "$workdir" "$job" "$started" "$numbers" 5>&1 >&3 2>&3 3>&- | : &
  )
  is_number "${said##*"$NL"}" && ok "${said##*"$NL"}" && return # each program may complain before it begins
  valid "${limit%% *}" || tell_stale "${limit%% *}" || return
  blame "the supervisor did not start: $said"
}

require_program() { # program, as `env` would find it in the folder of the job ; fails where the kernel would not run it
  local file="$1" folder blanks="$IFS"
  case $1 in
    /*) ;;
    */*) file=$dir/out/$1 ;;
    *)
      IFS=:
      for folder in $search; do
        [ ! -f "$folder/$1" ] || { file=$folder/$1 && break; }
      done
      IFS=$blanks
      ;;
  esac
  [ "$file" != "${looked-}" ] && [ -x "$file" ] || return 0 # `env` says what is missing, or not executable
  find_machine
  look_at "$file"
  case $kind in
    '' | script) ;; # what cannot be read, no shell can run either
    cut | other) err not-a-program "$1" || return ;;
    *) runs "$kind" || err wrong-architecture "$1" "$kind" "$machine" || return ;;
  esac
  case $file in "$workdir"/trees/*) looked=$file ;; esac # what has its digest in its name stays as it is
}
