# ---- taking and giving back ------------------------------------------------------------------------------

do_lease() { # holder ttl_s [epoch] ; with the epoch of a lease that is held: this one, and no other, is taken over
  [ -n "$1" ] && [ ${#1} -le 200 ] && is_number "$2" && [ "$2" -gt 0 ] ||
    err usage "lease holder ttl_s [epoch]" || return
  local name former="${3-}" before
  encode "$1" && name=$REPLY
  lease_state
  before=$cut
  may_take || err held "$holder" "$age" "$ttl" "$epoch" "$held" || return
  find_shared
  read_mark=
  if see_rival; then tell_rival || return; fi
  clock
  until claim "held:$now:$2:$boot:$name"; do
    [ -z "$REPLY" ] || blame "$REPLY" || return
    lease_state # someone was faster; if it was only a job that gave its lost lease back, the device is free
    may_take || err held "$holder" "$age" "$ttl" "$epoch" "$held" || return
    clock
  done
  wipe lease/ran # the names of jobs of earlier leases, which can start no more
  end_all lease-lost || err stuck "$REPLY" || return # what an earlier lease left running
  restore_all "$epoch"
  if ! take_machine "$name" "$2"; then
    claim free
    tell_rival || return
  fi
  beat 2>/dev/null || beat_again 2>/dev/null || err disk-full "cannot write the beat" || return
  # shellcheck disable=SC2086 # words or none
  ok "$epoch" "$boot" $before ${own_room:+alone}
}

beat_again() { # on a full disk: in the place that the beat of an earlier lease takes
  local old=lease/none
  set +f
  for old in lease/beat.1*; do [ "$old" = "lease/beat.$epoch" ] || break; done
  set -f
  [ -s "$old" ] && clock && put $((now + 1000000000)) 1<>"$old" && mv -f "$old" "lease/beat.$epoch"
}

may_take() { [ -n "$expired" ] || [ "$epoch" = "$former" ]; }

do_break() { # epoch who ; the lease of this epoch, and no other, ends now, whoever holds it
  [ -n "$2" ] && [ ${#2} -le 200 ] || err usage "break epoch who" || return
  local who room
  encode "$2" && who=$REPLY
  find_room
  lease_state
  until [ "$epoch" = "$1" ] && [ -n "$holder" ] && claim "broken:$who"; do
    [ "$epoch" = "$1" ] && [ -n "$holder" ] || err stale "the lease is no longer $1 but $epoch" || return
    [ -z "$REPLY" ] || blame "$REPLY" || return
    lease_state
  done
  end_all lease-lost || err stuck "$REPLY" || return
  restore_all
  leave_machine "$room"
  ok
}

do_resume() { # epoch [boot, as `lease` told it]
  # A link that was not on the disk yet is gone after a power cut, and its number may be another's by now.
  [ "${2:-$boot}" = "$boot" ] || err device-restarted "boot $boot instead of $2" || return
  renew "$1" && ok "$boot"
}
do_beat() { renew "$1" && ok; } # epoch
renew() { # epoch ; tells why not
  if ! valid "$1"; then
    [ -z "$cut" ] || [ "$epoch" != "$1" ] || err device-restarted "$REPLY" || return
    tell_stale "$1" || return
  fi
  beat 2>/dev/null || err disk-full "cannot write the beat" || return
}

do_release() { # epoch
  lease_state
  [ -n "$holder" ] || { ok && return; } # the reply to an earlier release was lost
  [ "$epoch" = "$1" ] || err stale "the lease is no longer $1 but $epoch" || return
  end_all released || err stuck "$REPLY" || return
  restore_all "$1"
  find_room
  if claim free; then leave_machine "$room"; elif [ -n "$REPLY" ]; then blame "$REPLY" || return; fi
  touch_used
  ok
}

find_shared() { # -> shared: where users of this machine find each other; empty: there is no such place
  local folder
  shared=''
  set -- /run/lock /tmp
  [ -z "${FARM_SHARED-}" ] || set -- "$FARM_SHARED"
  for folder do
    [ -k "$folder" ] && [ -w "$folder" ] || continue
    folder=$folder/farm-machine
    [ -d "$folder" ] || { mkdir "$folder" && chmod 1777 "$folder"; } 2>/dev/null
    [ -k "$folder" ] || doze # another is just making it
    [ -k "$folder" ] && [ -w "$folder" ] && [ ! -h "$folder" ] && shared=$folder
    return 0
  done
}

see_rival() { # -> mark: the highest number; rival, its_workdir (encoded), its_age, its_ttl, its_held: who has the
  # machine from another workdir; fails when nobody has -> dead_room: of who had it and did not leave it
  local text since its_boot room beat
  [ -n "$shared" ] || return
  highest "$shared"
  mark=$REPLY dead_room=''
  is_mark "$mark" || return
  [ "$mark" = "$read_mark" ] || { mark_text=$(readlink "$shared/$mark" 2>/dev/null) && read_mark=$mark; } # for this lease
  case $mark_text in held:*:*:*:*:*' '*) text=${mark_text#held:} ;; *) return 1 ;; esac
  since=${text%%:*} text=${text#*:}
  its_ttl=${text%%:*} text=${text#*:}
  its_boot=${text%%:*} text=${text#*:}
  room=${text%%:*} text=${text#*:}
  is_number "$since" && is_number "$its_ttl" && is_name "$room" || return
  dead_room=$shared/$room
  [ "$its_boot" = "$boot" ] || return # the device was restarted since
  [ ! "$dead_room" -ef lease/machine ] || return # ours: who has the lease of this workdir has the machine
  clock
  its_held=$((now - since))
  room=$shared/$room/beat
  if [ -f "$room" ] && ! [ -h "$room" ] && { read -r beat <"$room"; } 2>/dev/null && is_mark "$beat"; then
    since=$((beat - 1000000000))
  fi
  its_age=$((now - since))
  [ "$its_age" -ge 0 ] && [ "$its_age" -le $((its_ttl + GRACE_S)) ] || return
  dead_room='' rival=${text%% *} its_workdir=${text#* }
}

tell_rival() { # as see_rival -> the reply; fails
  decode "$rival" && rival=$REPLY
  decode "$its_workdir" && its_workdir=$REPLY
  err held-elsewhere "$rival" "$its_age" "$its_ttl" 0 "$its_held" "$its_workdir"
}

take_machine() { # holder, encoded, ttl -> own_room: our room, empty where there is no lock; fails when a rival has it
  local tries=0 text
  own_room=''
  while [ -n "$shared" ] && [ $tries -lt 5 ]; do
    tries=$((tries + 1))
    ! see_rival || return
    is_mark "$mark" || break
    clock
    own_room=$shared/room.$$.$now.$tries
    mkdir "$own_room" 2>/dev/null || { own_room='' && continue; }
    { put $((now + 1000000000)) >"$own_room/beat"; } 2>/dev/null
    encode "$workdir" && text="held:$now:$2:$boot:${own_room##*/}:$1 $REPLY"
    if ln -s "$text" "$shared/$((mark + 1))" 2>/dev/null; then
      highest "$shared"
      if [ "$REPLY" = $((mark + 1)) ]; then
        own_machine
        return
      fi
      rm -f "$shared/$((mark + 1))"
    fi
    clear_room "$own_room"
    own_room=''
  done
  # That of an earlier lease, in whose place anybody may have made something by now: beats would go there.
  [ -n "$own_room" ] || [ ! -h lease/machine ] || rm -f lease/machine
  return 0
}

own_machine() { # our room is `own_room`; that of who had the machine and did not leave it goes, may it be ours
  # A room of the same second has the same name.
  [ ! -d lease/machine ] || [ lease/machine -ef "$own_room" ] || clear_room "$(readlink lease/machine)"
  ln -sfn "$own_room" lease/machine
  [ -z "$dead_room" ] || clear_room "$dead_room"
  return 0
} 2>/dev/null

do_others() { # command lines of what may supervise a job, of all workdirs, as /proc/<pid>/cmdline has them
  local copy="lease/others.$$"
  # shellcheck disable=SC2046 # splitting is meant
  (cd /proc && set +f && exec cat $(grep -ls supervise [0-9]*/cmdline)) >"$copy" 2>/dev/null
  size_of "$copy"
  answer data "$REPLY" && cat "$copy"
  rm -f "$copy"
}
