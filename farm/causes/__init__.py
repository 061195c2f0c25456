"""Why a round failed, in plain words.

Tables of texts, endings and exit codes. Pure.
"""
