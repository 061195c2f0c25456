# ---- jobs, as the controller asks for them --------------------------------------------------------------

do_poll() { # job
  is_starting "$1" || job_state "$1" || err unknown "$1" || return
  tell_state
}
tell_state() { put "$id ok $is $code $why $out_size $err_size $telemetry_size"; }

do_wait() { # job ; as `poll`, but once it has ended, and nothing else is answered before
  is_starting "$1" || job_state "$1" || err unknown "$1" || return
  # Where the system hides the supervisor's pipe the asking goes on as with `poll`.
  [ "$is" = running ] && [ -p "/proc/$supervisor/fd/5" ] || { tell_state && return; }
  # Where a connection was lost and nobody told its server, who waits on the next one is the one who is listened to.
  { put $$ >"spool/$job/waiter"; } 2>/dev/null || { tell_state && return; }
  await
  [ -d "spool/$job" ] || err unknown "$job" || return
  { read -r REPLY <"spool/$job/waiter"; } 2>/dev/null
  [ "$REPLY" = $$ ] || exit 0
  tell_state
}
await() { # the end of the supervisor, which holds this pipe: blocks in the kernel, costs nothing
  # Opened for writing too at first: the pipe of an older agent's job has a name, and waits for a writer, who may be
  # gone by now.
  local looks=50
  {
    command exec 5<>"/proc/$supervisor/fd/5" && command exec 6</proc/self/fd/5 && exec 5>&- && read -r _ <&6
    exec 5>&- 6<&-
  } 2>/dev/null
  # The files of one that was killed are closed before it is gone from the process table.
  while job_state "$job" && [ "$is" = running ] && [ $looks -gt 0 ]; do
    doze
    looks=$((looks - 1))
  done
}

do_kill() { # job
  job_state "$1" || err unknown "$1" || return
  end_job "$1" killed || err stuck "$REPLY" || return
  ok
}

do_drop() { # job... ; one that is gone already is no mistake: the reply may have been lost
  local why one
  for one do
    shift
    is_name "$one" || err usage "not a name: $one" || return
    ! job_state "$one" || [ "$is" = exited ] || err running "$one" || return
    set -- "$@" "spool/$one"
  done
  close_file # or its bytes would stay on the disk
  why=$(rm -rf "$@" 2>&1) || blame "$why" || return
  ok
}

do_jobs() {
  local name all=''
  jobs_of_spool
  for name in $REPLY; do
    job_state "$name" && all="$all $job=$is"
  done
  # shellcheck disable=SC2086 # is_name
  ok $all
}

do_sense() { # two lines as of telemetry, of now
  local line child=''
  [ -n "${columns-}" ] || find_sensors
  clock && sample whole
  send "$columns$NL$line"
}
do_processes() { send "$(cd /proc && set +f && exec grep -hs . [0-9]*/stat)"; } # a line for each, see proc(5)
