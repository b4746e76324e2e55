//! A vault: the document inside is printed and parsed again without loss, an error quotes nothing of
//! it, and what the header of the file says does not depend on what comes behind it.
#![cfg_attr(fuzzing, no_main)]

use kage_core::store::vault::{DocumentFault, Fault, read_header, reprint};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check(data));

pub(crate) fn check(data: &[u8]) {
    match read_header(data) {
        Ok(lock) => assert_eq!(read_header(&[data, b"more"].concat()).unwrap(), lock),
        Err(Fault::Empty) => assert!(data.is_empty()),
        Err(_) => {}
    }
    match reprint(data) {
        Ok(Some(printed)) => printed.expose(|printed| {
            let again = reprint(printed).unwrap().unwrap();
            assert!(again.expose(|again| again == printed));
        }),
        // What is there twice has a name that was understood.
        Ok(None) | Err(DocumentFault::Twice(_)) => {}
        Err(fault) => assert!(fault.to_string().len() < 200),
    }
}
