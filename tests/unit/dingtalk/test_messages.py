

def test_a_title_with_markup_in_it_stays_plain_text() -> None:
    content = Content("[x](http://evil.example) *now*", "body")
    text = orjson.loads(work_message(content, "#1", priority=Priority.NORMAL, button="Open"))["markdown"]["text"]
    assert text.startswith(r"### \[x\](http://evil.example) \*now\*")
