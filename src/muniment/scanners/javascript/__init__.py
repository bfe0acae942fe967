"""Engine for JavaScript and TypeScript: input of users followed inside a file, and patterns of unsafe calls."""
