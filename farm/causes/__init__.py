"""Why a round failed, in plain words: tables of texts, endings and exit codes. Pure."""
