# ---- one job, from its start to its end -----------------------------------------------------------------

supervise() { # workdir job forks numbers
  local line wall silence forks="$3" numbers="$4" latest pipe watch code its_epoch
  exec 2>/dev/null # bash tells how its children died
  workdir=$1 job=$2 supervisor=$$
  cd "$workdir" && take || return
  find_boot && job_boot=$boot
  read -r epoch wall silence lease_text <"spool/$job/limit"
  known=$epoch its_epoch=$epoch
  # Who asked for it may have slept meanwhile, and somebody else have the device now.
  valid "$epoch" || { conclude 137 lease-lost && return; }
  cd "spool/$job" || return
  ulimit -c 0 # a core dump would count as a result
  look $$ && supervisor_born=$born
  # Descriptor 5 is a pipe that has a writer as long as this process or the watch lives: who reads it, opened through
  # /proc, sees that they are gone. It is opened for reading too, for `nap`.
  { command exec 5<>"/proc/$$/fd/5" && pipe=yes || pipe=; } 2>/dev/null
  exec 6>>stdout 7>>stderr 8>>telemetry
  set -- "FARM_JOB=$job:$$"
  while read -r line; do
    decode "$line" && set -- "$@" "$REPLY"
    case $line in FARM_GPU=*) has_gpu=yes ;; esac
  done <./command
  # What it says is a file of the job like the program's own.
  if [ -n "${has_gpu-}" ]; then (exec </dev/null >out/farm-gpu.txt 5>&- 6>&- 7>&- && watch_gpu) & fi
  find_sensors
  put "$columns" >&8
  clock && sample whole && put "$line" >&8
  (cd out && exec setsid env -i "$@" </dev/null >&6 2>&7 5>&- 6>&- 7>&- 8>&-) 2>&7 &
  child=$!
  child_born=- # it may have ended already: then nothing is known of it
  look $child && child_born=$born
  # What a container shows may be its host's.
  find_latest && [ "$latest" -ge $child ] && [ $((latest - child)) -lt 1000 ] || forks=-
  put "$$ $supervisor_born $child $child_born $boot $forks" >pid # one call of the kernel: nobody sees a part of it
  put "$NL$child" # on a line of its own, whatever was said before it
  exec </dev/null >/dev/null
  cd "$workdir" || exit
  own=$child
  watch "$epoch" "$wall" "$silence" &
  watch=$!
  wait $child
  code=$?
  trap '' TERM
  is_ours $watch && kill -KILL $watch # mksh would sleep through a TERM in `read -t`
  ended=yes && clock && sample whole && put "$line" >&8
  kill -TERM 0 # the `sleep` that the watch may have waited in, and what looks at GPUs: this group has nothing else
  wait $watch
  until finish; do sleep 1; done # what the command left behind
  read -r why _ <"spool/$job/why"
  conclude "$code" "${why:--}"
  guard_settings "$its_epoch"
  exec 5>&-
  [ "$why" != lease-lost ] || { find_room && lease_state && [ -n "$holder" ] && [ -n "$expired" ] && claim free && leave_machine "$room"; }
}

guard_settings() { # epoch ; where settings of the device were changed and nobody is left who would restore them
  [ -d settings ] && [ -e "settings/$1" ] && ! is_guarded "$1" || return 0
  # The pipe, descriptor 5, says that the round is supervised.
  (exec setsid sh "$self" guard "$workdir" "$1" </dev/null >/dev/null 2>&1 4<&- 5>&- 6>&- 7>&- 8>&-) &
}
is_guarded() { # epoch -> guard: the process
  local guard_born
  { read -r guard guard_born <"settings/guard.$1"; } 2>/dev/null &&
    look "$guard" && [ "$born" = "$guard_born" ] && [ "$state" != Z ]
}

nap() { sleep "$1"; } # seconds
nap_in_a_builtin() { # where `read` knows -t (not in dash): one process less for each
  read -r -t 0 _ </dev/null
  [ $? -eq 2 ] || [ -z "$pipe" ] || nap() { read -r -t "$1" _ <&5; }
}

watch() { # epoch wall_s silence_s ; once a pause, until a limit is passed or the supervisor ends this process
  local mine="$1" wall="$2" silence="$3" pause=1 began grew size='' real_size='' why=''
  nap_in_a_builtin
  clock && began=$now grew=$now
  [ -z "$only_core" ] || pause=$PAUSE_OF_ONE_CORE_S
  until [ -n "$why" ]; do
    nap_until_a_limit
    valid "$mine" || why=lease-lost
    sample && put "$line" >&8
    [ "$wall" -eq 0 ] || [ $((now - began)) -lt "$wall" ] || why=wall-limit
    written 6 && line=$REPLY && written 7
    [ "$size" = "$line $REPLY" ] || { size="$line $REPLY" && grew=$now; }
    if [ "$silence" -gt 0 ] && [ $((now - grew)) -ge "$silence" ] && is_silent; then why=silence-limit; fi
    [ "/proc/$supervisor/fd/8" -ef /proc/self/fd/8 ] || why=lost # cheaper than `look`
  done
  guard_settings "$mine"
  blame_end "$why"
  finish
  is_supervised || [ -s "spool/$job/exit" ] || conclude 137 lost
}
PAUSE_OF_ONE_CORE_S=5 # what a look costs is the program's time there
nap_until_a_limit() {
  local left="$pause"
  [ "$wall" -eq 0 ] || [ $((began + wall - now)) -ge "$left" ] || left=$((began + wall - now))
  [ "$silence" -eq 0 ] || [ $((grew + silence - now)) -ge "$left" ] || left=$((grew + silence - now))
  [ "$left" -gt 0 ] || left=1
  nap "$left"
}

is_silent() { # after a closer look, which forks: a program may have opened its streams anew, past our descriptors
  local real
  size_of "spool/$job/stdout" && real=$REPLY
  size_of "spool/$job/stderr" && real="$real $REPLY"
  [ "$real" != "$size" ] && [ "$real" != "$real_size" ] || return 0
  real_size=$real grew=$now
  return 1
}
