use crate::testkit::transcript;

#[test]
fn numbers_by_value_texts_by_bytes() {
    transcript(
        "
        > RPUSH l 10 9 -1 2.5 10
        :5
        > SORT l
        *5
        $-1
        $2.5
        $9
        $10
        $10
        > SORT l DESC LIMIT 1 2
        *2
        $10
        $9
        > SORT_RO l ALPHA
        *5
        $-1
        $10
        $10
        $2.5
        $9
        > SORT l LIMIT 3 -1 alpha desc asc
        *2
        $2.5
        $9
        > SORT l LIMIT -5 0
        *0
        > SORT l LIMIT 5 1
        *0
        > SORT missing
        *0
        ",
    )
    .propagates(&["RPUSH l 10 9 -1 2.5 10"]);
}

#[test]
fn every_type_that_has_elements_can_be_sorted() {
    transcript(
        "
        > SADD s 3 1 2
        :3
        > ZADD z 1 30 2 10 3 20
        :3
        > SORT s DESC
        *3
        $3
        $2
        $1
        > SORT z
        *3
        $10
        $20
        $30
        > SET k v
        +OK
        > SORT k
        -WRONGTYPE Operation against a key holding the wrong kind of value
        > HSET h f v
        :1
        > SORT h STORE d
        -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn by_weighs_and_get_replaces() {
    transcript(
        "
        > RPUSH l 1 2 3
        :3
        > MSET w_1 30 w_2 10 w_3 20 o_1 one o_3 three
        +OK
        > SORT l BY w_*
        *3
        $2
        $3
        $1
        > SORT l BY w_* GET o_* GET # DESC
        *6
        $one
        $1
        $three
        $3
        nil
        $2
        > HSET h_1 w 5 name first
        :2
        > HSET h_2 w 4
        :1
        > SORT l BY h_*->w GET h_*->name GET h_* GET fixed
        *9
        nil
        nil
        nil
        nil
        nil
        nil
        $first
        nil
        nil
        @resp3
        > SORT l BY w_* GET o_* LIMIT 0 1
        *1
        _
        ",
    );
}

#[test]
fn weights_that_are_missing_count_as_zero_or_come_first() {
    transcript(
        "
        > RPUSH l a b c
        :3
        > MSET w_a 5 w_c -5
        +OK
        > SORT l BY w_*
        *3
        $c
        $b
        $a
        > SORT l BY w_* ALPHA
        *3
        $b
        $c
        $a
        > SORT l BY w_* ALPHA DESC
        *3
        $a
        $c
        $b
        > SORT l
        -ERR One or more scores can't be converted into double
        > SET w_b heavy
        +OK
        > SORT l BY w_* STORE d
        -ERR One or more scores can't be converted into double
        ",
    );
}

#[test]
fn a_pattern_without_a_star_asks_for_no_order() {
    transcript(
        "
        > RPUSH l 3 1 2
        :3
        > SORT l BY nosort
        *3
        $3
        $1
        $2
        > SORT l BY nosort DESC LIMIT 0 2
        *2
        $2
        $1
        > ZADD z 1 c 2 a 3 b
        :3
        > SORT z BY nosort LIMIT 1 5
        *2
        $a
        $b
        > SORT z BY nosort DESC LIMIT 1 1
        *1
        $a
        > SADD s b a 10 c
        :4
        > SORT s BY nosort STORE d
        :4
        > LRANGE d 0 -1
        *4
        $10
        $a
        $b
        $c
        ",
    );
}

#[test]
fn the_result_is_stored_as_a_list() {
    transcript(
        "
        > RPUSH l 3 1 2
        :3
        > SET d old EX 100
        +OK
        > SORT l STORE d
        :3
        > LRANGE d 0 -1
        *3
        $1
        $2
        $3
        > TTL d
        :-1
        > OBJECT ENCODING d
        $listpack
        > SORT l GET # GET no_* LIMIT 0 1 STORE d
        :2
        > LRANGE d 0 -1
        *2
        $1
        $
        > SORT missing STORE d
        :0
        > EXISTS d
        :0
        > SORT l STORE l
        :3
        > LINDEX l 0
        $1
        ",
    )
    .propagates(&[
        "RPUSH l 3 1 2",
        "SET d old PXAT 1100000",
        "SORT l STORE d",
        "SORT l GET \"#\" GET no_* LIMIT 0 1 STORE d",
        "SORT missing STORE d",
        "SORT l STORE l",
    ])
    .notifies(&["rpush l", "set d", "expire d", "sortstore d", "sortstore d", "del d", "sortstore l"]);
}

#[test]
fn wrong_words_are_refused() {
    transcript(
        "
        > SORT l LIMIT 1
        -ERR syntax error
        > SORT l LIMIT a 1
        -ERR value is not an integer or out of range
        > SORT l BY
        -ERR syntax error
        > SORT l GET
        -ERR syntax error
        > SORT l STORE
        -ERR syntax error
        > SORT l UP
        -ERR syntax error
        > SORT_RO l STORE d
        -ERR syntax error
        > SORT
        -ERR wrong number of arguments for 'sort' command
        ",
    );
}

#[test]
fn the_key_that_is_stored_to_is_found_behind_the_last_store() {
    use crate::resp::args::OwnedArgs;
    use crate::spec::keys::keys_of;
    let keys = |words: &[&[u8]]| {
        let keys = keys_of(&super::SPEC.meta, &OwnedArgs::of(words).as_args()).unwrap();
        keys.iter().map(|key| key.index).collect::<Vec<_>>()
    };
    assert_eq!(keys(&[b"sort", b"k", b"by", b"store", b"desc"]), [1]);
    assert_eq!(keys(&[b"sort", b"k", b"store", b"a", b"limit", b"1", b"2", b"STORE", b"b"]), [1, 8]);
    assert_eq!(keys(&[b"sort", b"k", b"store"]), [1]);
}

#[test]
fn patterns_need_the_right_to_read_all_keys() {
    use crate::testkit::stage::Stage;
    let words = |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let denied = |option: &str| format!("-ERR {option} option of SORT denied due to insufficient ACL permissions.\r\n");
    let mut stage = Stage::default();
    stage.call(&words("RPUSH l 1"));
    for (rules, is_allowed) in [("~l", false), ("%W~* ~l", false), ("~l %R~*", true), ("~l (+sort ~*)", true)] {
        stage.become_user(&format!("reset on nopass -@all +sort {rules}"));
        let mut heard = |text: &str| String::from_utf8(stage.call(&words(text))).unwrap();
        assert_eq!(heard("SORT l BY nosort"), "*1\r\n$1\r\n1\r\n", "{rules:?}");
        if is_allowed {
            assert_eq!(heard("SORT l BY w_* GET #"), "*1\r\n$1\r\n1\r\n");
        } else {
            assert_eq!(heard("SORT l BY w_*"), denied("BY"));
            assert_eq!(heard("SORT l BY nosort GET #"), denied("GET"));
        }
    }
}
