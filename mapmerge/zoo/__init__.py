"""Real-data model families, fine-tuned on this machine from images that package registries carry."""
