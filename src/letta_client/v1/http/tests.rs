use super::*;

#[test]
fn a_base_url_is_taken_as_people_write_it() {
    for (given, shown) in [
        ("http://localhost:8283", "http://localhost:8283"),
        (" http://localhost:8283/ ", "http://localhost:8283"),
        ("https://api.letta.com/v1/", "https://api.letta.com"),
        ("http://host/letta/v1", "http://host/letta"),
        ("http://host/letta//", "http://host/letta"),
        ("http://[::1]:8283/v1", "http://[::1]:8283"),
    ] {
        let http = Http::new(given, None, Duration::from_secs(1), Clock::system()).unwrap();
        assert_eq!(http.address(), shown, "{given}");
        assert_eq!(
            http.url("/v1/health/").as_str(),
            format!("{shown}/v1/health/")
        );
    }
}

#[test]
fn a_key_that_no_header_can_hold_is_refused_without_showing_it() {
    let key = SecretString::from("hunter2\n".to_owned());
    let made = Http::new(
        "http://h",
        Some(&key),
        Duration::from_secs(1),
        Clock::system(),
    );
    let error = made.err().unwrap();
    assert_eq!(error.code(), Code::ConfigInvalid);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn nothing_escapes_a_path_segment() {
    assert_eq!(segment("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
    assert_eq!(segment("agent-1_2.3"), "agent-1_2.3");
}
