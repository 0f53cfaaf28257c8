"""The stack's life: images, Compose, health. Nothing outside this package knows Compose."""
