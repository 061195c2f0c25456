# ---- all that an agent is started for -------------------------------------------------------------------

case ${1-}:$# in
  serve:[23])
    whole=yes
    look $$ && agent_born=$born
    restore_all
    serve
    touch_used
    ;;
  hand:[5-9] | hand:[1-9]?* | receive:[56] | unpack:[34] | assemble:[6-9] | assemble:[1-9]?* | guard:3) "$@" ;;
  *) put "usage: sh AGENT serve WORKDIR" >&2 && exit 64 ;;
esac
