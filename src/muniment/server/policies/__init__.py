"""What the company wrote: versions of the policy, and exceptions from it."""
