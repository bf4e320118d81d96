"""The embedded default: drawn scenes and a tiny CLIP that knows them; needs no network."""
