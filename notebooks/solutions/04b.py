def parse_all(result):
    rows, rest = [], []
    for item in result:
        try:
            row = json.loads(item.text)
        except (TypeError, ValueError):  # there is no text, or it is not JSON
            row = None
        if isinstance(row, dict) and item.finish_reason != "length":
            rows.append(row)
        else:
            rest.append(item)
    return rows, rest


hs.check("04b", parse_all)
