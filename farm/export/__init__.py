"""What a run came to, for other tools: JUnit, GitHub, Markdown. Pure."""
