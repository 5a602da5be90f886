"""The emoji model: texts to data, data to trained networks, networks to what a phone's model is built from."""
