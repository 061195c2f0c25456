"""Several machines: lanes of runs wait in a store that workers at their sites share. Only here is DBOS."""
