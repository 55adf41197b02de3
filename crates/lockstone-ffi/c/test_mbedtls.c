/* Mbed TLS with its persistent keys in Lockstone: made, used after a start and in another process, destroyed. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "psa/internal_trusted_storage.h"

#include "psa/crypto.h"

#include <dirent.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define AES_KEY PSA_KEY_ID_USER_MIN
#define PAIR PSA_KEY_ID_USER_MAX
#define WHOLE_SLOTS 0x1000u
/* More than Mbed TLS has slots in RAM. */
#define MANY 40u

static const unsigned char secret[16] = "not so secret 16";
static const unsigned char text[32] = "two blocks of text, encrypted..";

/* Mbed TLS stores a key under its number. */
static int is_in_lockstone(psa_key_id_t key) {
    struct psa_storage_info_t info;
    unsigned char head[8];
    size_t length = 0;
    memset(&info, 0, sizeof(info));
    return psa_its_get_info(key, &info) == PSA_SUCCESS && info.size > sizeof(head) && info.capacity == info.size &&
           info.flags == PSA_STORAGE_FLAG_NONE && psa_its_get(key, 0, sizeof(head), head, &length) == PSA_SUCCESS &&
           length == sizeof(head) && memcmp(head, "PSA\0KEY", 8) == 0;
}

/* Files of Mbed TLS's own, in the working directory. */
static int files(void) {
    DIR *folder = opendir(".");
    struct dirent *entry;
    int found = 0;
    CHECK(folder != NULL);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        found += strstr(entry->d_name, "psa_it") != NULL;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return found;
}

static psa_key_attributes_t attributes_of(psa_key_type_t type, size_t bits, psa_algorithm_t algorithm, psa_key_usage_t usage) {
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, type);
    psa_set_key_bits(&attributes, bits);
    psa_set_key_algorithm(&attributes, algorithm);
    psa_set_key_usage_flags(&attributes, usage);
    return attributes;
}

static psa_status_t import(psa_key_id_t number, const unsigned char *bytes, size_t length) {
    psa_key_id_t key = 0;
    psa_key_attributes_t attributes =
        attributes_of(PSA_KEY_TYPE_AES, 0, PSA_ALG_CBC_NO_PADDING, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
    psa_set_key_id(&attributes, number);
    return psa_import_key(&attributes, bytes, length, &key);
}

static void again(void) {
    mbedtls_psa_crypto_free();
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(psa_crypto_init(), PSA_SUCCESS);
}

/* What another process may have encrypted and signed. */
struct made {
    unsigned char encrypted[64];
    size_t encrypted_length;
    unsigned char public_key[80];
    size_t public_length;
};

static void make(struct made *made) {
    psa_key_id_t key = 0;
    psa_key_attributes_t pair = attributes_of(
        PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), 256, PSA_ALG_ECDSA(PSA_ALG_SHA_256), PSA_KEY_USAGE_SIGN_HASH);
    CHECK(!is_in_lockstone(AES_KEY) && !is_in_lockstone(PAIR));
    CHECK_IS(import(AES_KEY, secret, sizeof(secret)), PSA_SUCCESS);
    CHECK_IS(import(AES_KEY, secret, sizeof(secret)), PSA_ERROR_ALREADY_EXISTS);
    psa_set_key_id(&pair, PAIR);
    CHECK_IS(psa_generate_key(&pair, &key), PSA_SUCCESS);
    CHECK_IS(key, PAIR);
    CHECK(is_in_lockstone(AES_KEY) && is_in_lockstone(PAIR));
    CHECK_IS(psa_cipher_encrypt(AES_KEY, PSA_ALG_CBC_NO_PADDING, text, sizeof(text), made->encrypted, sizeof(made->encrypted),
                                &made->encrypted_length),
             PSA_SUCCESS);
    CHECK_IS(psa_export_public_key(PAIR, made->public_key, sizeof(made->public_key), &made->public_length), PSA_SUCCESS);
}

static void use(const struct made *made) {
    unsigned char clear[64], signature[80], out[80], hash[32] = {7};
    size_t length = 0, signed_length = 0;
    psa_key_id_t public_key = 0;
    psa_key_attributes_t found = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_attributes_t verifies = attributes_of(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), 256,
                                                  PSA_ALG_ECDSA(PSA_ALG_SHA_256), PSA_KEY_USAGE_VERIFY_HASH);
    CHECK_IS(psa_cipher_decrypt(AES_KEY, PSA_ALG_CBC_NO_PADDING, made->encrypted, made->encrypted_length, clear, sizeof(clear),
                                &length),
             PSA_SUCCESS);
    CHECK(length == sizeof(text) && memcmp(clear, text, sizeof(text)) == 0);
    /* What it's for, and what not. */
    CHECK_IS(psa_get_key_attributes(AES_KEY, &found), PSA_SUCCESS);
    CHECK_IS(psa_get_key_type(&found), PSA_KEY_TYPE_AES);
    CHECK_IS(psa_get_key_bits(&found), 128);
    CHECK_IS(psa_get_key_lifetime(&found), PSA_KEY_LIFETIME_PERSISTENT);
    CHECK_IS(psa_get_key_algorithm(&found), PSA_ALG_CBC_NO_PADDING);
    CHECK_IS(psa_get_key_usage_flags(&found), PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
    psa_reset_key_attributes(&found);
    CHECK_IS(psa_export_key(AES_KEY, out, sizeof(out), &length), PSA_ERROR_NOT_PERMITTED);
    CHECK_IS(psa_cipher_encrypt(AES_KEY, PSA_ALG_CTR, text, sizeof(text), out, sizeof(out), &length), PSA_ERROR_NOT_PERMITTED);
    CHECK_IS(psa_export_key(PAIR, out, sizeof(out), &length), PSA_ERROR_NOT_PERMITTED);
    /* The pair is the one whose public half was seen. */
    CHECK_IS(psa_sign_hash(PAIR, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, sizeof(hash), signature, sizeof(signature), &signed_length),
             PSA_SUCCESS);
    CHECK_IS(psa_import_key(&verifies, made->public_key, made->public_length, &public_key), PSA_SUCCESS);
    CHECK_IS(psa_verify_hash(public_key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, sizeof(hash), signature, signed_length), PSA_SUCCESS);
    hash[0] ^= 1;
    CHECK_IS(psa_verify_hash(public_key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, sizeof(hash), signature, signed_length),
             PSA_ERROR_INVALID_SIGNATURE);
    CHECK_IS(psa_destroy_key(public_key), PSA_SUCCESS);
}

/* All that another process finds. */
static int elsewhere(const struct made *made) {
    CHECK_IS(psa_crypto_init(), PSA_SUCCESS);
    use(made);
    CHECK_IS(psa_destroy_key(AES_KEY), PSA_SUCCESS);
    CHECK(!is_in_lockstone(AES_KEY) && is_in_lockstone(PAIR));
    CHECK_IS(files(), 0);
    mbedtls_psa_crypto_free();
    CHECK_IS(lockstone_close(), 0);
    return failed == 0 ? 0 : 1;
}

/* More keys than slots: each is found again, and none is there twice. */
static void many_keys(void) {
    unsigned char bytes[32] = {0}, out[16], other[16];
    size_t length = 0;
    unsigned number;
    for (number = 0; number < MANY; number++) {
        bytes[0] = (unsigned char)number;
        CHECK_IS(import(WHOLE_SLOTS + number, bytes, number % 2 == 0 ? 16 : 32), PSA_SUCCESS);
        CHECK(is_in_lockstone(WHOLE_SLOTS + number));
    }
    again();
    for (number = 0; number < MANY; number++) {
        psa_cipher_operation_t operation = PSA_CIPHER_OPERATION_INIT;
        psa_key_attributes_t found = PSA_KEY_ATTRIBUTES_INIT;
        static const unsigned char start[16] = {0};
        CHECK_IS(psa_get_key_attributes(WHOLE_SLOTS + number, &found), PSA_SUCCESS);
        CHECK_IS(psa_get_key_bits(&found), number % 2 == 0 ? 128 : 256);
        psa_reset_key_attributes(&found);
        CHECK_IS(psa_cipher_encrypt_setup(&operation, WHOLE_SLOTS + number, PSA_ALG_CBC_NO_PADDING), PSA_SUCCESS);
        CHECK_IS(psa_cipher_set_iv(&operation, start, sizeof(start)), PSA_SUCCESS);
        CHECK_IS(psa_cipher_update(&operation, text, 16, out, sizeof(out), &length), PSA_SUCCESS);
        CHECK_IS(psa_cipher_abort(&operation), PSA_SUCCESS);
        CHECK(number == 0 || memcmp(out, other, sizeof(out)) != 0);
        memcpy(other, out, sizeof(out));
    }
    for (number = 0; number < MANY; number++) {
        CHECK_IS(psa_destroy_key(WHOLE_SLOTS + number), PSA_SUCCESS);
        CHECK(!is_in_lockstone(WHOLE_SLOTS + number));
    }
}

/* What a key takes of the counter, and where there is none. */
static void counters(void) {
    lockstone_memory memory = test_memory();
    lockstone_stats before, after;
    int which;
    for (which = 0; which < 3; which++) {
        CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
        CHECK_IS(lockstone_sim_platform(&test_platform), 0);
        if (which > 0) {
            test_platform.counter_read = NULL;
            test_platform.counter_increment = NULL;
            test_platform.flags = which == 2 ? LOCKSTONE_FLASH_IS_TRUSTED : 0;
        }
        CHECK_IS(lockstone_format(&test_platform, &memory), 0);
        CHECK_IS(psa_crypto_init(), PSA_SUCCESS);
        CHECK_IS(lockstone_get_stats(&before), 0);
        CHECK_IS(import(AES_KEY, secret, sizeof(secret)), which == 1 ? PSA_ERROR_DATA_INVALID : PSA_SUCCESS);
        CHECK_IS(lockstone_get_stats(&after), 0);
        if (which == 0) {
            CHECK_IS(before.counter_left - after.counter_left, 2);
            CHECK_IS(psa_destroy_key(AES_KEY), PSA_SUCCESS);
            CHECK_IS(lockstone_get_stats(&before), 0);
            CHECK_IS(after.counter_left - before.counter_left, 1);
        }
        mbedtls_psa_crypto_free();
        CHECK_IS(lockstone_close(), 0);
    }
}

int main(void) {
    struct made made;
    int status = -1;
    pid_t process;
    psa_key_attributes_t found = PSA_KEY_ATTRIBUTES_INIT;
    memset(&made, 0, sizeof(made));
    CHECK_IS(psa_crypto_init(), PSA_SUCCESS);
    make(&made);
    use(&made);
    again();
    use(&made);
    mbedtls_psa_crypto_free();
    CHECK_IS(lockstone_close(), 0);
    process = fork();
    if (process == 0) {
        _exit(elsewhere(&made));
    }
    CHECK(process > 0);
    CHECK_IS(waitpid(process, &status, 0), process);
    CHECK_IS(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    /* What was destroyed there is gone here, for good. */
    CHECK_IS(psa_crypto_init(), PSA_SUCCESS);
    CHECK_IS(psa_get_key_attributes(AES_KEY, &found), PSA_ERROR_INVALID_HANDLE);
    CHECK_IS(psa_destroy_key(AES_KEY), PSA_ERROR_INVALID_HANDLE);
    CHECK_IS(import(AES_KEY, secret, sizeof(secret)), PSA_SUCCESS);
    CHECK_IS(psa_destroy_key(AES_KEY), PSA_SUCCESS);
    many_keys();
    CHECK_IS(psa_destroy_key(PAIR), PSA_SUCCESS);
    CHECK(!is_in_lockstone(PAIR));
    /* A key that doesn't last is no business of the store's. */
    {
        psa_key_attributes_t passing = attributes_of(PSA_KEY_TYPE_AES, 128, PSA_ALG_CTR, PSA_KEY_USAGE_ENCRYPT);
        psa_key_id_t key = 0;
        CHECK_IS(psa_generate_key(&passing, &key), PSA_SUCCESS);
        CHECK(!is_in_lockstone(key));
    }
    mbedtls_psa_crypto_free();
    (void)lockstone_close();
    counters();
    CHECK_IS(files(), 0);
    return summary("mbedtls");
}
