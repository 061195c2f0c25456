"""From a request to a plan.

Read, choose, fit, plan. Touches no device.
"""
