# ---- uploads ---------------------------------------------------------------------------------------------
# Each has a channel of its own, whose input is the file: it ends with it.

receive() { # workdir digest offset size [gzip] ; what comes is appended to a partial upload, which is kept once it is whole
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_digest "$2" && is_size "$3" && is_size "$4" || err usage "receive workdir digest offset size [gzip]" || return
  local part="incoming/$2" reader=cat why there sum=
  [ "${5-}" != gzip ] || reader="zcat"
  [ "$3" != 0 ] || rm -f "$part" # 0 begins anew
  size_of "$part"
  [ "$REPLY" = "$3" ] || err offset "$REPLY" || return
  minus "$4" "$3"
  if [ ${#REPLY} -lt 8 ]; then
    why=$({ $reader >>"$part"; } 2>&1)
    size_of "$part"
    there=$REPLY
  else
    why=$({ : >>"$part"; } 2>&1) && read_told "$(append "$part")"
  fi
  if [ -n "$why" ]; then
    case $why in *'No space left'* | *uota*exceeded*) rm -f "$part" ;; esac # leave room for others
    blame "$why" || return
  fi
  [ "$there" = "$4" ] || err short "$there" "of $4 are here" || return
  keep "$part" "$2" "$sum"
}
runs_on() { look "$1" && [ "$state" != Z ]; } # pid
append() { # part -> on stdout: what went wrong, its size, and the digest of the whole file, a line each. It is read and
  # written to the disk while more of it comes: a large one is ready soon after its last byte. Its size is that of the
  # moment in which nothing more came: soon after a cut connection another process may go on with the same file.
  exec 3<&0
  {
    $reader <&3 2>&1 >>"$1" || put "the upload could not be written"
    size_of "$1"
    put "$REPLY"
  } &
  local writer=$! sum looks=0
  while runs_on $writer && rest; do flush "$1"; done >/dev/null 2>&1 &
  sum=$({ while runs_on $writer; do cat <&4 && linger; done && cat <&4; } 4<"$1" | sha256sum)
  wait
  put "${sum%% *}"
}

rest() { sleep 0.3 2>/dev/null || sleep 1; }
linger() { # less often when it takes long: each look is two processes, and ten uploads at once are short of the cores
  looks=$((looks + 1))
  if [ "$looks" -le 10 ]; then doze; else rest; fi
}
read_told() { # what `append` said -> why, there, sum
  sum=${1##*"$NL"}
  why=${1%"$NL$sum"}
  is_digest "$sum" || { sum='' && why=$1; } # a `sha256sum` that was killed
  there=${why##*"$NL"}
  why=${why%"$there"}
}

unpack() { # workdir count [gzip] ; a tar archive of so many small files, each as <aa>/<digest>: all are kept, or none
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_number "$2" || err usage "unpack workdir count [gzip]" || return
  command -v tar >/dev/null || err no-tool tar || return
  local new="incoming/unpack.$$" why
  why=$({ wipe "$new" "$new.link" && mkdir "$new" && if [ "${3-}" = gzip ]; then zcat | tar xf - -C "$new"; else tar xf - -C "$new"; fi; } 2>&1) ||
    { rm -rf "$new" && blame "$why"; } || return
  set +f
  is_as_named "$2" || { rm -rf "$new" && err digest-mismatch "$REPLY"; } || return
  why=$(keep_all 2>&1) || { rm -rf "$new" "$new.link" && blame "$why"; } || return
  rm -rf "$new" "$new.link"
  ok
}
is_as_named() { # count ; whether so many files are in new, each with the content that its name says
  local left="$1"
  # shellcheck disable=SC2046 # digests, and names that are compared with them
  set -- $(cd "$new" && sha256sum -- */* 2>/dev/null)
  while [ $# -gt 1 ]; do
    [ "$1" = "${2#*/}" ] && is_digest "$1" && [ "${2%%/*}" = "${1%"${1#??}"}" ] || { REPLY="$2 has the digest $1" && return 1; }
    left=$((left - 1))
    shift 2
  done
  REPLY="$left files did not come" && [ "$left" = 0 ]
}
keep_all() { # what is in new gets its place; a folder that is not there yet with all that is in it
  local folder whole='' merged='' count=0
  (cd "$new" && touch -c -- */*) || return # last used now, by the device's clock
  sync -f "$new" 2>/dev/null || sync || return
  for folder in "$new"/*; do
    if [ -d "cas/${folder##*/}" ]; then merged="$merged $folder" count=$((count + 1)); else whole="$whole $folder"; fi
  done
  # shellcheck disable=SC2086 # two hexadecimal digits each
  [ -z "$whole" ] || mv $whole cas/ 2>/dev/null || merged="$merged $whole" # another upload may have made one meanwhile
  # shellcheck disable=SC2086
  [ $count -le 4 ] || ! has_links || ! cp -rlf $merged cas/ 2>/dev/null || return 0 # a process instead of one for each
  for folder in $merged; do
    forget_linked "$folder"
    set -- "$folder"/*
    [ ! -e "$1" ] || mv -f "$@" "cas/${folder##*/}/" || return
  done
}
has_links() { # whether a file can have two names here: `cp -f` of busybox takes the old one away before it sees
  set -- "$new"/*/*
  ln "$1" "$new.link" 2>/dev/null
}
forget_linked() { # folder ; what is in its place already: GNU's `mv` will not have it
  local file linked=''
  for file in "$1"/*; do
    [ ! "$file" -ef "cas/${file#"$new/"}" ] || linked="$linked $file"
  done
  # shellcheck disable=SC2086 # digests
  [ -z "$linked" ] || rm -f $linked
}

assemble() { # workdir digest size sent_bytes ops... ; a file, of ranges of files that are here and of what is sent. An op is
  # <digest, or - for what is sent>:<offset>:<offset + 1>:<length>
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_digest "$2" && is_size "$3" && is_size "$4" || err usage "assemble workdir digest size sent ops..." || return
  local digest="$2" size="$3" sent="$4" part="incoming/$2" fresh="incoming/$2.new" reader=cat why there sum op
  shift 4
  for op do is_op "$op" || err usage "not an op: $op" || return; done
  why=$({ cat >"$fresh"; } 2>&1) || { rm -f "$fresh" && blame "$why"; } || return
  size_of "$fresh"
  [ "$REPLY" = "$sent" ] || { rm -f "$fresh" && err short "$REPLY" "of $sent are here"; } || return
  rm -f "$part"
  why=$({ : >>"$part"; } 2>&1) && read_told "$(join "$@" 2>/dev/null | append "$part")"
  rm -f "$fresh"
  [ -z "$why" ] || { rm -f "$part" && blame "$why"; } || return
  [ "$there" = "$size" ] || { rm -f "$part" && err short "$there" "of $size could be put together"; } || return
  keep "$part" "$digest" "$sum"
}
is_op() { # -> file, offset, from, length
  local rest="${1#*:}"
  case $1 in *:*:*:*) ;; *) return 1 ;; esac
  case ${1%%:*} in -) file=$fresh ;; *) is_digest "${1%%:*}" && entry "${1%%:*}" && file=$REPLY || return ;; esac
  offset=${rest%%:*} && rest=${rest#*:} && from=${rest%%:*} && length=${rest#*:}
  is_size "$offset" && is_size "$from" && is_size "$length"
}
join() { # ops ; what goes wrong shows in the digest
  local op file offset from length
  for op do
    is_op "$op" && [ -f "$file" ] || return
    # `tail -c +N` of busybox and toybox reads everything before; toybox has nothing better.
    if command -v dd >/dev/null; then
      { dd bs=1 count=0 "skip=$offset" 2>/dev/null && head -c "$length"; } <"$file" || return
    else
      tail -c "+$from" "$file" | head -c "$length" || return
    fi
  done
}

hand() { # workdir host_key command digest... ; a file of the store is the input of a command, more are a tar archive of <aa>/<digest>.
  # Its $1 is a file with the one host key that it may meet. It ends with the channel
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  local key="$2" command="$3" known="incoming/known.$$" digest files='' why command_pid watcher code=0
  shift 3
  for digest do
    is_digest "$digest" && is_kept "$digest" || err missing "$digest" || return
    files="$files ${REPLY#cas/}"
  done
  [ $# = 1 ] || command -v tar >/dev/null || err no-tool tar || return
  why=$({ put "$key" >"$known"; } 2>&1) || err unreached - "$why" || return
  exec 3<&0
  if [ $# = 1 ]; then
    sh -c "$command" farm "$known" <"cas/${files# }" &
  else
    # shellcheck disable=SC2086 # hexadecimal names
    tar cf - -C cas $files | sh -c "$command" farm "$known" &
  fi
  command_pid=$!
  { read -r _ || kill -9 $command_pid; } <&3 >/dev/null 2>&1 & # a builtin: nothing is left of it when it is killed
  watcher=$!
  wait $command_pid || code=$?
  kill -9 $watcher 2>/dev/null # mksh may lose any other signal while it begins
  rm -f "$known"
  [ "$code" = 0 ] || err unreached "$code"
}
