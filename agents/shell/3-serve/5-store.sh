# ---- the store ------------------------------------------------------------------------------------------

entry() { REPLY=cas/${1%"${1#??}"}/$1; } # digest -> REPLY: where it is kept

# No write-back in the middle of a round, and no part of a file under a whole one's name after a power cut, as far as
# the disk keeps its word: `verify` looks.
flush() { fsync "$1" 2>/dev/null || sync "$1" 2>/dev/null || sync; }

do_have() { # digest... ; a linked entry counts as missing
  local digest missing='' some='' count=0
  for digest do
    is_digest "$digest" || err usage "not a digest: $digest" || return
    if is_kept "$digest"; then
      use "$REPLY"
    else
      REPLY=0
      [ -f "incoming/$digest" ] && size_of "incoming/$digest"
      some="$some $digest=$REPLY" count=$((count + 1))
      [ $((count % 64)) -ne 0 ] || missing=$missing$some some= # as in `answer`
    fi
  done
  # shellcheck disable=SC2086 # hexadecimal names
  ok $missing $some
}
use() { # path of the store ; what was not used for longest goes first, and the times of files are for that
  used="$used $1" uses=$((uses + 1))
  [ $uses -lt 200 ] || touch_used
}
touch_used() { # one process for all of a session, when its rounds are over
  # shellcheck disable=SC2086 # hexadecimal names
  [ -z "$used" ] || touch -c $used
  used='' uses=0
} 2>/dev/null
used='' uses=0

do_verify() { # digest... ; entries that are not what they should be go, and are told: see flush
  local digest files='' count=0 damaged=''
  for digest do
    is_digest "$digest" || err usage "not a digest: $digest" || return
    is_kept "$digest" || continue
    files="$files $REPLY" count=$((count + 1))
    [ $count -lt 200 ] || { find_damaged && files='' count=0; }
  done
  find_damaged
  # shellcheck disable=SC2086 # hexadecimal names
  ok $damaged
}
find_damaged() { # files -> damaged, further: digests of those that are gone now
  local file sums
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086
  sums=$NL$(sha256sum $files 2>/dev/null)
  for file in $files; do
    # One that the disk cannot read any more has no line.
    case $sums in *"$NL${file##*/} "*) continue ;; esac
    rm -f "$file"
    damaged="$damaged ${file##*/}"
  done
}

keep() { # file digest [its digest, where it is known] ; a file below incoming/ gets its place, if it is what it should be
  local sum="${3-}" why
  [ -n "$sum" ] || { sum=$(sha256sum <"$1") && sum=${sum%% *}; }
  if [ "$sum" != "$2" ]; then
    rm -f "$1"
    err digest-mismatch "the bytes have the digest $sum" || return
  fi
  entry "$2"
  # Executable and read-only for all: the store does not know what a file is for.
  why=$({ chmod 555 "$1" && mkdir -p "${REPLY%/*}" && flush "$1" && mv -f "$1" "$REPLY"; } 2>&1) ||
    blame "$why" || return
  ok
}

is_kept() { entry "$1" && [ -f "$REPLY" ] && ! [ -h "$REPLY" ]; } # a linked file may have changed

do_adopt() { # job path digest ; a file that a job wrote
  local part="incoming/adopt.$$" why
  is_name "$1" && is_path "$2" && is_digest "$3" || err usage "adopt job path digest" || return
  ! is_kept "$3" || { ok && return; }
  is_plain "spool/$1" "out/$2" || err missing "$2" || return
  why=$(cp "spool/$1/out/$2" "$part" 2>&1) || { rm -f "$part" && blame "$why"; } || return
  keep "$part" "$3"
}

do_link() { # (digest path)... ; entries that are files of the device itself
  local why
  while [ $# -gt 0 ]; do
    is_digest "$1" && [ $# -gt 1 ] || err usage "link (digest path)..." || return
    case $2 in /*) ;; *) err usage "not an absolute path: $2" || return ;; esac
    [ -f "$2" ] && [ -r "$2" ] || err missing "$2" || return
    is_linked "$1" "$2" || why=$(enter "$2" 2>&1) || blame "$why" || return
    shift 2
  done
  ok
}
is_linked() { entry "$1" && [ -h "$REPLY" ] && [ "$REPLY" -ef "$2" ]; }
enter() { # path ; at REPLY
  local new="incoming/link.$$"
  [ -d "${REPLY%/*}" ] || mkdir -p "${REPLY%/*}" || return
  if [ -h "$REPLY" ] || [ -f "$REPLY" ]; then
    rm -f "$new" && ln -s "$1" "$new" && mv -f "$new" "$REPLY"
  else
    ln -s "$1" "$REPLY"
  fi
}

do_tree() { # name (relative-path=digest)... ; whole or not at all
  local tree="trees/$1" new="trees/.new.$$" pair path store whole=yes why
  is_name "$1" || err usage "not a name: $1" || return
  shift
  for pair do
    path=${pair%=*}
    is_path "$path" && is_digest "${pair##*=}" || err usage "not path=digest: $pair" || return
    entry "${pair##*=}"
    [ -f "$REPLY" ] || err missing "${pair##*=}" || return
    [ "$tree/$path" -ef "$REPLY" ] || whole=
  done
  if [ -z "$whole" ] || ! [ -d "$tree" ]; then
    why=$({ wipe "$new" "$tree" && mkdir "$new" && for pair do
      path=${pair%=*}
      case $path in */*) mkdir -p "$new/${path%/*}" || exit ;; esac
      entry "${pair##*=}"
      ln -s "$workdir/$REPLY" "$new/$path" || exit
    done && mv "$new" "$tree"; } 2>&1) || { rm -rf "$new" && blame "$why"; } || return
  fi
  use "$tree" # it is the last that goes
  ok "$workdir/$tree"
}

do_stock() { touch_used && send "$(stock 2>/dev/null)"; }
stock() { # sections for farm/device/disk/stock.py: what there is, what was not used for longest before the rest
  part df && df -Pk .
  if has_any cas || has_any incoming; then
    part sizes && du -ak cas incoming
    part files && (cd cas && set +f && ls -1drt ./*/*)
  fi
  if has_any trees; then
    part trees && ls -1Art trees
    part links && ls -lRA trees
  fi
}

do_remove() { # epoch path... ; files, partial uploads and trees of the store
  local path why
  valid "$1" || tell_stale "$1" || return
  shift
  case $(do_jobs) in *=running*) err busy "a job is running" || return ;; esac
  for path do
    case $path in
      trees/*/* | incoming/*/* | cas/*/*/*) path= ;;
      trees/?* | incoming/?* | cas/?*/?*) ;;
      *) path= ;;
    esac
    is_path "$path" || err usage "remove epoch path..." || return
  done
  why=$(rm -rf "$@" 2>&1) || blame "$why" || return
  ok
}
