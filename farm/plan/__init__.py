"""From a request to a plan: read, choose, fit, plan. Touches no device."""
