"""All that is said to one device: the agent, its protocol, jobs and the session that keeps them."""
