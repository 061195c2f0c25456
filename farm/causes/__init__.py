"""Why a round failed.

Tables of texts, endings and exit codes. Pure.
"""
