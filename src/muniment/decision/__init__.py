"""From a policy and facts to one decision; and what makes one policy stricter than another."""
