"""How the reasons of lights, findings and names are told in a language: from what results hold in English to what a reader sees."""
