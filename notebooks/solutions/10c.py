def windows(lines, max_tokens):
    parts, current = [], []
    for line in lines:
        if hs.count_tokens("\n".join([*current, line])).at_most > max_tokens:
            parts.append("\n".join(current))
            current = current[-1:]
        current.append(line)
    return [*parts, "\n".join(current)]


hs.check("10c", (log, windows))
