"""The product's sentences, one file each; a flow joins rooms and reads like its sentence."""
