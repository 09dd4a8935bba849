use super::*;

#[test]
fn a_message_is_understood_whatever_else_stands_in_it() {
    let text = r#"{"type":"update_loop_status","loop_status":{"status":"WAITING_ON_INPUT",
        "active_run_ids":[],"client_message_ids_by_run_id":{"local-run-1":["a"]},"new":{}},
        "runtime":{"agent_id":"agent-local-1","conversation_id":"default","also":1}}"#;
    let envelope: Envelope<'_> = serde_json::from_str(text).unwrap();
    assert_eq!(envelope.runtime.unwrap().conversation_id, "default");
    let runs = BTreeMap::from([("local-run-1".to_owned(), vec!["a".to_owned()])]);
    let event = Event::read(&envelope.kind, text);
    let (idle, asks) = (true, false);
    assert_eq!(event, Some(Event::Loop { idle, asks, runs }));
}

#[test]
fn values_of_another_type_count_as_none() {
    let text = r#"{"type":"turn_finished","stop_reason":5,"run_id":null,"error":{"a":1},
        "runtime":"here"}"#;
    let envelope: Envelope<'_> = serde_json::from_str(text).unwrap();
    assert!(envelope.runtime.is_none());
    let event = Event::read("turn_finished", text);
    assert_eq!(event, Some(Event::Finished(Finished::default())));
    assert_eq!(Event::read("update_loop_status", "{}"), None);
    assert_eq!(Event::read("update_memory", "{}"), None);
}

#[test]
fn a_content_is_text_or_parts_and_never_too_long() {
    let said = |content: &str| {
        let text = format!(r#"{{"delta":{{"message_type":"m","content":{content}}}}}"#);
        match Event::read("stream_delta", &text) {
            Some(Event::Delta(delta)) => delta.content,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(said(r#""a""#), "a");
    assert_eq!(
        said(r#"[{"type":"text","text":"a"},{"type":"image"},{"text":"b"}]"#),
        "ab"
    );
    assert_eq!(said("7"), "");
    assert_eq!(
        said(&format!("{:?}", "x".repeat(1 << 20))).len(),
        LONGEST_TEXT
    );
}
