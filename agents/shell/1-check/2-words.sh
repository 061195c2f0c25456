# ---- words of the protocol ------------------------------------------------------------------------------

if [ -n "${KSH_VERSION-}" ]; then # printf is no builtin in mksh
  put() { print -r -- "$1"; }
else
  put() { printf '%s\n' "$1"; }
fi
if [ -n "${KSH_VERSION-}" ]; then # one call of the kernel; `read` has one for each byte
  fetch() { line=$(<"$1"); }
else
  fetch() { read -r line <"$1"; }
fi

CR=''
find_cr() { # -> CR: a carriage return, for which dash has to fork
  [ -n "$CR" ] || CR=$'\r'
  [ ${#CR} -eq 1 ] || CR=$(printf '\r')
}

encode() { # text -> REPLY
  case $1 in
    '') REPLY=%00 && return ;;
    *%* | *[!!-~]*) ;;
    *) REPLY=$1 && return ;;
  esac
  local rest="$1" head
  find_cr
  REPLY=
  while [ -n "$rest" ]; do
    head=${rest%%["% $TAB$NL$CR"]*}
    rest=${rest#"$head"}
    case $rest in
      %*) head=$head%25 ;;
      ' '*) head=$head%20 ;;
      "$TAB"*) head=$head%09 ;;
      "$NL"*) head=$head%0A ;;
      "$CR"*) head=$head%0D ;;
    esac
    REPLY=$REPLY$head
    rest=${rest#?}
  done
}

decode() { # field -> REPLY; fails on an unknown escape
  case $1 in
    %00) REPLY= && return ;;
    *%*) ;;
    *) REPLY=$1 && return ;;
  esac
  local rest="$1"
  REPLY=
  while :; do
    case $rest in
      *%*) REPLY=$REPLY${rest%%"%"*} rest=${rest#*"%"} ;;
      *) REPLY=$REPLY$rest && return ;;
    esac
    case $rest in
      25*) REPLY=$REPLY% ;;
      20*) REPLY="$REPLY " ;;
      09*) REPLY=$REPLY$TAB ;;
      0A*) REPLY=$REPLY$NL ;;
      0D*) find_cr && REPLY=$REPLY$CR ;;
      *) return 1 ;;
    esac
    rest=${rest#??}
  done
}

answer() { # word field... -> one reply line
  local line="$id" some='' count=0 field
  for field do
    encode "$field"
    some="$some $REPLY" count=$((count + 1))
    [ $((count % 64)) -ne 0 ] || line=$line$some some= # a shell copies the whole of a text that grows, for each word
  done
  put "$line$some"
}
ok() { answer ok "$@"; }
err() { answer err "$@" && return 1; } # fails, so that `err ... || return` leaves the verb
send() { answer data $((${#1} + 1)) && put "$1"; } # a text, with its last newline

blame() { # what a failed command said -> the reply
  case $1 in
    *'No space left'* | *uota*exceeded* | *'printf: I/O error') err disk-full "$1" ;; # so says dash's printf
    *'Read-only file system'* | *'ermission denied'* | *'not permitted'*) err unwritable "$1" ;;
    *) err io "$1" ;;
  esac
}

# Checks of what the controller sends: nothing outside the workdir is ever written.
is_number() { case $1 in '' | *[!0-9]* | 0?*) return 1 ;; *) [ ${#1} -le 9 ] ;; esac }
is_size() { case $1 in '' | *[!0-9]* | 0?*) return 1 ;; *) [ ${#1} -le 15 ] ;; esac }
is_digest() { case $1 in *[!0-9a-f]*) return 1 ;; *) [ ${#1} -eq 64 ] ;; esac }
is_name() { case $1 in '' | [.-]* | *[!A-Za-z0-9._-]*) return 1 ;; *) [ ${#1} -le 200 ] ;; esac }
is_path() { # relative, and stays below its folder
  case $1 in '' | /*) return 1 ;; esac
  case /$1/ in *//* | */./* | */../*) return 1 ;; esac
}
