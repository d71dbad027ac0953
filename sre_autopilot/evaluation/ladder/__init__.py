"""The ladder of policies: where each stands on every tier of every world, with intervals."""
