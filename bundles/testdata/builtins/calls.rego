# Calls each host function from inside a module, with arguments from the input.
package calls

answer := object.subset(input.arguments[0], input.arguments[1]) if input.function == "object.subset"

answer := semver.compare(input.arguments[0], input.arguments[1]) if input.function == "semver.compare"

answer := semver.is_valid(input.arguments[0]) if input.function == "semver.is_valid"

answer := sprintf(input.arguments[0], input.arguments[1]) if input.function == "sprintf"

answer := strings.any_prefix_match(input.arguments[0], input.arguments[1]) if input.function == "strings.any_prefix_match"

answer := strings.any_suffix_match(input.arguments[0], input.arguments[1]) if input.function == "strings.any_suffix_match"

answer := time.now_ns() if input.function == "time.now_ns"

answer := time.parse_rfc3339_ns(input.arguments[0]) if input.function == "time.parse_rfc3339_ns"

answer := units.parse(input.arguments[0]) if input.function == "units.parse"

answer := units.parse_bytes(input.arguments[0]) if input.function == "units.parse_bytes"
