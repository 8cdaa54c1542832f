# METADATA
# title: Signatures over an image or a model
# description: >-
#   artifact.signature says what was found out ahead: verified, rejected or unavailable; an artifact without it is one
#   that nobody has to sign. Any other shape is a gap, and the gate that needs it answers unknown.
package interlock.lib.signature

default state(_) := "unreadable"

state(artifact) := "notRequired" if not required(artifact)

state(artifact) := "verified" if {
	artifact.signature.state == "verified"
	is_digest(artifact.signature.digest)
	is_array(artifact.signature.signers)
}

state(artifact) := "rejected" if {
	artifact.signature.state == "rejected"
	is_string(artifact.signature.reason)
	is_string(artifact.signature.message)
}

state(artifact) := "unavailable" if {
	artifact.signature.state == "unavailable"
	is_string(artifact.signature.reason)
	is_string(artifact.signature.message)
}

required(artifact) if object.get(artifact, "signature", nobody) != nobody

nobody := {"state": "notRequired"}

# What the reference leads to, as far as the registry was asked.
digest(artifact) := artifact.signature.digest if is_digest(artifact.signature.digest)

# Why it is not signed as the track demands, in a word and in a sentence.
rejection(artifact) := $"is not signed as the track demands ({artifact.signature.reason}): {artifact.signature.message}"

# The same in short, for a message that has something else to say first.
beside(artifact) := $"; nor is it signed as the track demands ({artifact.signature.reason})" if {
	state(artifact) == "rejected"
} else := ""

# Why its signatures could not be found out, in a sentence and in the source's own word.
gap(artifact) := $"are not known ({artifact.signature.reason}): {artifact.signature.message}"

reason(artifact) := artifact.signature.reason if {
	regex.match(`^[A-Za-z]{1,64}$`, artifact.signature.reason)
} else := ""

# A signature over something else than what a pinned reference names says nothing about it.
astray(artifact, reference) if {
	found := digest(artifact)
	not endswith(reference, $"@{found}")
}

is_digest(text) if {
	is_string(text)
	regex.match(`^sha256:[0-9a-f]{64}$`, text)
}
