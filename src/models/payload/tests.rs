use super::*;

fn read(request: Value) -> Result<Payload> {
    Payload::read(request.as_object().unwrap())
}

#[test]
fn a_request_is_kept_whole_and_comes_back_from_its_stored_form() {
    let image = json!({"type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let messages = json!([
        {"role": "system", "content": "Be brief.", "name": "boss"},
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, image], "otid": "x"},
    ]);
    let payload = read(json!({
        "messages": messages, "max_steps": 5.0, "description": "a look", "unknown": 1,
        "include_return_message_types": ["assistant_message"],
    }))
    .unwrap();
    assert_eq!(Value::from(payload.messages().to_vec()), messages);
    assert_eq!(payload.options()["max_steps"], 5);
    assert!(!payload.options().contains_key("unknown"));
    assert_eq!(payload.description(), Some("a look"));
    let stored = payload.to_stored();
    assert_eq!(Payload::from_stored(&stored).unwrap(), payload);
    assert_eq!(hash_of(&stored), payload.hash());
    assert_eq!(
        payload.render(),
        "[system] Be brief.\n\n[user] Look:\n(image/png)"
    );
}

#[test]
fn a_prompt_is_stored_as_it_always_was_and_reads_as_it_was_written() {
    let payload = Payload::of_prompt("hello \"you\"");
    assert_eq!(
        payload.to_stored(),
        r#"{"messages":[{"content":"hello \"you\"","role":"user"}]}"#
    );
    assert_eq!(payload.render(), "hello \"you\"");
}

#[test]
fn what_programs_may_leave_out_of_a_part_is_filled_in_since_letta_asks_for_it() {
    let payload = read(
        json!({"messages": [{"role": "user", "name": null, "content": [
            {"text": "a"}, {"type": "image", "source": {"media_type": "image/png", "data": "aGk="}},
        ]}]}),
    )
    .unwrap();
    let message = &payload.messages()[0];
    assert_eq!(message["content"][0]["type"], "text");
    assert_eq!(message["content"][1]["source"]["type"], "base64");
    assert!(message.get("name").is_none());
}

#[test]
fn a_line_is_put_before_what_the_user_says_first() {
    let payload = read(json!({"messages": [
        {"role": "system", "content": "s"}, {"role": "user", "content": [{"text": "a"}]},
    ]}))
    .unwrap();
    let (messages, _) = payload.sent_with(Some("late"));
    assert_eq!(messages[0]["content"], "s");
    assert_eq!(messages[1]["content"][0]["text"], "late");
    assert_eq!(messages[1]["content"][1]["text"], "a");
    let (messages, _) = Payload::of_prompt("a").sent_with(Some("late"));
    assert_eq!(messages[0]["content"], "late\n\na");
}

#[test]
fn a_request_that_letta_would_never_take_is_not_stored() {
    let of = |bytes: usize| {
        let content = "x".repeat(bytes);
        read(json!({"messages": [{"role": "user", "content": content}]}))
    };
    assert!(of(LARGEST_REQUEST - 100).is_ok());
    let error = of(LARGEST_REQUEST).unwrap_err();
    assert_eq!(error.code(), Code::RequestInvalid);
    assert!(error.to_string().contains("8 MiB"), "{error}");
}

#[test]
fn what_letta_would_refuse_is_refused_with_its_place() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for (request, place) in [
        (json!({}), "messages must be a list"),
        (json!({"messages": "hello"}), "messages must be a list"),
        (json!({"messages": []}), "nothing to send"),
        (
            json!({"messages": ["hello"]}),
            "messages[0] must be an object",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].role is \"tool\"",
        ),
        (
            json!({"messages": [{"content": "x"}]}),
            "messages[0].role is missing",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "user"}]}),
            "messages[1].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x", "type": "approval"}]}),
            "messages[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x", "otid": 1}]}),
            "messages[0].otid",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "x"}]}),
            "all messages have the role assistant",
        ),
        (user(json!("  ")), "messages[0].content"),
        (user(json!([])), "messages[0].content"),
        (user(json!(7)), "messages[0].content is 7"),
        (user(json!("a\0b")), "NUL"),
        (user(json!([{"type": "text", "text": "a\0b"}])), "NUL"),
        (
            user(json!([{"type": "text"}])),
            "messages[0].content[0].text",
        ),
        (
            user(json!([{"type": "audio"}])),
            "messages[0].content[0].type is \"audio\"",
        ),
        (
            user(json!([{"type": "image"}])),
            "messages[0].content[0].source",
        ),
        (
            user(json!([{"type": "image", "source": {"data": "x"}}])),
            "media_type",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "max_steps": 0}),
            "max_steps is 0",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "max_steps": 1.5}),
            "max_steps",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}],
                "include_return_message_types": ["assistant"]}),
            "assistant_message",
        ),
    ] {
        let error = read(request.clone()).unwrap_err();
        assert!(error.to_string().contains(place), "{request}: {error}");
    }
}
