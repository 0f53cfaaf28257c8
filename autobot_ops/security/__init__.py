"""Runtime security: S01 to S32, judged from what was seen of a running stack."""
