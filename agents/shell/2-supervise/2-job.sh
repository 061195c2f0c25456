# ---- where a job is, and its end ------------------------------------------------------------------------

job_state() { # job -> is (running or exited) code why out_size err_size telemetry_size; fails: no such job
  job=$1 is=exited supervisor='' child='' job_boot='' forks='' own=''
  is_name "$1" && [ -d "spool/$job" ] || return 1
  if [ ! -s "spool/$job/pid" ]; then sleep 1; fi # it is just being started by another session, or never was
  { read -r supervisor supervisor_born child child_born job_boot forks <"spool/$job/pid"; } 2>/dev/null
  read_end && return
  is=running code=- why=-
  if is_supervised; then
    written 6 && out_size=$REPLY
    written 7 && err_size=$REPLY
    written 8 && telemetry_size=$REPLY
    return 0
  fi
  # It may have ended since; otherwise restarted device, or no memory, or someone's kill -9: nobody else will tell.
  # A supervisor that is still to start would tell: it is forestalled, or about to write its pid.
  out_size=0 err_size=0 telemetry_size=0
  if [ -n "$supervisor" ]; then set -- lost; else set -- unstarted; fi
  [ -s "spool/$job/exit" ] || { { [ -n "$supervisor" ] || take; } && finish && orphan && conclude 137 "$1"; } || return 0
  is=exited
  read_end || { code=137 why=lost out_size=0 err_size=0 telemetry_size=0; } # so after a power cut
}
read_end() { # fails when there is none yet, or something else in its place
  [ ! -h "spool/$job/exit" ] && read -r code why out_size err_size telemetry_size _ <"spool/$job/exit" &&
    is_number "$code" && is_size "$telemetry_size"
} 2>/dev/null

is_starting() { # job -> as job_state: another session is about to start it, may be one whose connection is gone
  local starter starter_born starter_boot
  is_name "$1" && [ ! -s "spool/$1/pid" ] && [ ! -s "spool/$1/exit" ] || return 1
  { read -r starter starter_born starter_boot <"spool/$1/starter"; } 2>/dev/null || return 1
  [ "$starter" != $$ ] && [ "$starter_boot" = "$boot" ] && look "$starter" && [ "$born" = "$starter_born" ] || return 1
  case $state in [ZTt]) return 1 ;; esac # a stopped one never will
  job=$1 is=running code=- why=- out_size=0 err_size=0 telemetry_size=0
}

take() { be_first "spool/$job/taken"; } # its supervisor: that the job runs; another: that it never will
be_first() { # file ; fails unless this process is the one that makes it
  set -C
  { :; } 2>/dev/null >"$1"
  set -- $?
  set +C
  return "$1"
}

is_supervised() {
  [ "${job_boot-}" = "$boot" ] && look "$supervisor" && [ "$born" = "$supervisor_born" ] && [ "$state" != Z ]
}

written() { offset_of "$supervisor" "$1"; } # descriptor of the supervisor -> REPLY: bytes that went through it
