"""Engine for infrastructure: Dockerfiles, Compose files, Kubernetes manifests and Terraform."""
