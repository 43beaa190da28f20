"""Supervision of the local stack's processes and jobs, their failures and logs."""
