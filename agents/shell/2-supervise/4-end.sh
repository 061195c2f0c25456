# ---- the end of a job -----------------------------------------------------------------------------------

finish() { # kills what is left of the round: TERM, after a second KILL; fails when something does not die
  local began left looks=0
  members
  [ -n "$REPLY" ] || return 0
  signal_members TERM
  clock && began=$uptime # looks take their time on a slow board: they are no measure of it
  while doze && members && [ -n "$REPLY" ]; do
    left=$REPLY && elapsed "$began"
    [ "$REPLY" -ge 100 ] || continue
    REPLY=$left looks=$((looks + 1))
    [ $looks -le 10 ] || return
    signal_members KILL
  done
}
signal_members() { # signal, to those that `members` found
  # To each, since some may have left the group, and to the group, since it may be growing.
  [ -z "$grouped" ] || kill "-$1" "-$child"
  # shellcheck disable=SC2086
  kill "-$1" $REPLY
  return 0
} 2>/dev/null

conclude() { # code why
  # A new file of one call of the kernel is there as a whole or not. On a full disk the room serves that was taken at
  # the start, and where the program has put something in its place.
  local file="spool/$job/exit"
  stream_sizes
  set -- "$1 $2 $REPLY"
  [ ! -e "$file" ] && [ ! -h "$file" ] && put "$1" >"$file" && [ -s "$file" ] && return
  put "$1" 1<>"$file.new" && mv -f "$file.new" "$file"
} 2>/dev/null
stream_sizes() { # of job -> REPLY: of its three streams; 0 for what is no file any more
  local name files='' out=0 err=0 telemetry=0
  for name in stdout stderr telemetry; do
    is_plain "spool/$job" "$name" && [ -s "spool/$job/$name" ] && files="$files spool/$job/$name"
  done
  case $files in # only the supervisor writes this: if it is this process, it knows
    */telemetry) [ "$supervisor" != $$ ] || ! written 8 || [ "$REPLY" = 0 ] || telemetry=$REPLY files=${files% *} ;;
  esac
  # shellcheck disable=SC2046,SC2086
  [ -z "$files" ] || set -- $(wc -c $files)
  while [ $# -ge 2 ]; do
    case $2 in */stdout) out=$1 ;; */stderr) err=$1 ;; */telemetry) telemetry=$1 ;; esac
    shift 2
  done
  REPLY="$out $err $telemetry"
}

blame_end() { # why ; the first reason counts
  local why=-
  { read -r why <"spool/$job/why"; } 2>/dev/null
  [ "$why" != - ] || put "$1" 1<>"spool/$job/why"
} 2>/dev/null

end_job() { # job why ; until nothing of it runs. Fails when something does not die
  job_state "$1" && [ "$is" = running ] || return 0
  blame_end "$2"
  finish || { REPLY="of job $job, processes $REPLY" && return 1; }
  until_unsupervised # it writes the end
  orphan && until_unsupervised # only then: it may have written it just before
  [ -s "spool/$job/exit" ] || conclude 137 lost && return
  # Another was faster: it has written the end, or forgotten the job.
  [ -s "spool/$job/exit" ] || [ ! -d "spool/$job" ] || { REPLY="the end of job $job cannot be written" && return 1; }
}
until_unsupervised() { # or 5 s
  local tries=50
  while is_supervised && [ $tries -gt 0 ]; do
    doze
    tries=$((tries - 1))
  done
}

orphan() { # ends what is left of the supervisor, unless its number is another's by now
  [ "$job_boot" = "$boot" ] || return 0
  if look "$supervisor"; then
    [ "$born" = "$supervisor_born" ] || return 0
  else # its watch ends by itself at its next look, too
    find_oldest
    [ "$oldest" -gt 0 ] || return 0
  fi
  kill -KILL "-$supervisor" 2>/dev/null
  return 0
}

end_all() { # why -> fails with what does not die in REPLY
  local name
  jobs_of_spool
  for name in $REPLY; do
    end_job "$name" "$1" || return
  done
}
jobs_of_spool() { # -> REPLY: their names
  local place
  REPLY=''
  set +f
  for place in spool/*; do
    ! is_name "${place#spool/}" || REPLY="$REPLY ${place#spool/}"
  done
  set -f
}
