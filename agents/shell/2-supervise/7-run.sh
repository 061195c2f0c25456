# ---- a job is supervised --------------------------------------------------------------------------------
# A supervisor knows all that it needs: what follows is not even read.
case ${1-}:$# in supervise:5) shift && supervise "$@"; exit ;; esac
