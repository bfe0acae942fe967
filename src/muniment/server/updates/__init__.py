"""Updates: dependencies of products, advisories, and which advisory affects which product until when."""
