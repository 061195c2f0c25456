# ---- the machine ----------------------------------------------------------------------------------------
# The lease is of a workdir. Where all users of the machine share a sticky folder, farm-machine in it keeps workdirs
# apart: links with numbers as above, `free` or `held:<since>:<ttl>:<boot>:<room>:<holder> <workdir>`. A room is a
# folder beside them that only its owner writes, with the time of the last beat; lease/machine of the workdir that
# has the machine leads there, and nowhere once it is given back. Nobody can remove what another user left: it is free
# once it is too old. And all of it may be another user's trap: numbers are checked before they are counted with, only
# plain files are read, and no link is left to a room that is not ours any more while there are beats.

GRACE_S=10 # until what ran under a lease that ended has surely ended, too

is_mark() { case $1 in *[!0-9]*) return 1 ;; 1?????????) ;; *) return 1 ;; esac }

clear_room() { # path, other files... ; not with `rm -r`: root would follow where another user leads it meanwhile
  local room="$1"
  shift
  if [ -d "$room" ] && [ ! -h "$room" ]; then set -- "$room/beat" "$@"; fi
  rm -f "$@"
  [ "${1-}" != "$room/beat" ] || rmdir "$room"
} 2>/dev/null

beat_of_machine() {
  [ ! -h lease/machine ] || { put $((now + 1000000000)) 1<>lease/machine/beat; } 2>/dev/null || :
}

find_room() { # -> room: of this workdir, to be found while its lease is still ours: then it may be another's
  room=${own_room-}
  [ -n "$room" ] && [ "$room" -ef lease/machine ] || { [ -d lease/machine ] && room=$(readlink lease/machine); } || room=''
} 2>/dev/null

leave_machine() { # room ; other workdirs may have it; earlier marks go, as far as we may remove them
  local room="$1" folder last old
  [ -n "$room" ] && [ -d "$room" ] || return 0 # the next holder of this workdir has taken it over
  folder=${room%/*} own_room=''
  highest "$folder"
  last=$REPLY
  if is_mark "$last"; then
    case $(readlink "$folder/$last") in
      held:*:"${room##*/}":*) ln -s free "$folder/$((last + 1))" && last=$((last + 1)) ;;
    esac
    set +f
    set -- "$folder"/1*
    set -f
  else
    set --
  fi
  for old do
    shift
    # Not a later one: the machine may be another's by now.
    ! is_mark "${old##*/}" || [ "${old##*/}" -ge "$last" ] || set -- "$@" "$old"
  done
  clear_room "$room" "$@"
} 2>/dev/null
