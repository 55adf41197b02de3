/*
 * Lockstone for C++17: the same calls, owned. Header only, no exceptions, no heap beyond what the caller's containers take.
 *
 *     lockstone::Store store = lockstone::Store::device("dev");      // closed when it goes out of scope
 *     if (!store) return store.status();
 *     store.put("wifi/psk", "secret");
 *
 * There is one store in a program: a second one that is opened meanwhile says BUSY.
 */
#ifndef LOCKSTONE_HPP
#define LOCKSTONE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "configuration_store.h"
#include "lockstone.h"
#include "lockstone_storage.h"
#include "storage_volume_manager.h"

namespace lockstone {

/* Bytes that somebody else owns. */
struct Bytes {
    const void *start = nullptr;
    std::size_t length = 0;

    constexpr Bytes() = default;
    constexpr Bytes(const void *begin, std::size_t size) : start(begin), length(size) {}
    constexpr Bytes(std::string_view text) : start(text.data()), length(text.size()) {}
    constexpr Bytes(const char *text) : Bytes(std::string_view(text)) {}
};

/* A status and, if it is 0, what was asked for. */
template <typename T>
struct [[nodiscard]] Result {
    std::int32_t status = 0;
    T value{};

    constexpr explicit operator bool() const { return status >= 0; }
};

/* The open store. Moves, never copies; closes when it is destroyed. */
class [[nodiscard]] Store {
  public:
    /* The device in a directory; one is made where nothing is. */
    static Store device(const char *directory) { return Store(lockstone_open_device(directory)); }
    /* The same, but where nothing is nothing is made. */
    static Store existing(const char *directory) { return Store(lockstone_open_existing_device(directory)); }
    /* What is on a platform's flash. The memory is the store's until it is closed. */
    static Store open(const lockstone_platform &platform, const lockstone_memory &memory) {
        return Store(lockstone_open(&platform, &memory));
    }
    /* ERASES the platform's flash. */
    static Store format(const lockstone_platform &platform, const lockstone_memory &memory) {
        return Store(lockstone_format(&platform, &memory));
    }
    /* What is in a range of a driver's storage. The store initialises the driver itself: it is nobody else's until then. */
    static Store open(ARM_DRIVER_STORAGE &driver, std::uint64_t start, std::uint32_t size, const lockstone_platform &platform,
                      const lockstone_memory &memory) {
        return Store(lockstone_storage_open(&driver, start, size, &platform, &memory));
    }
    /* ERASES the range. */
    static Store format(ARM_DRIVER_STORAGE &driver, std::uint64_t start, std::uint32_t size, const lockstone_platform &platform,
                        const lockstone_memory &memory) {
        return Store(lockstone_storage_format(&driver, start, size, &platform, &memory));
    }

    Store(const Store &) = delete;
    Store &operator=(const Store &) = delete;
    Store(Store &&other) noexcept
        : status_(std::exchange(other.status_, LOCKSTONE_E_NOT_OPEN)), open_(std::exchange(other.open_, false)) {}
    Store &operator=(Store &&other) noexcept {
        if (this != &other) {
            (void)close();
            status_ = std::exchange(other.status_, LOCKSTONE_E_NOT_OPEN);
            open_ = std::exchange(other.open_, false);
        }
        return *this;
    }
    ~Store() { (void)close(); }

    explicit operator bool() const { return open_; }
    /* Why it is not open; 0 if it is. */
    std::int32_t status() const { return status_; }

    std::int32_t put(const char *name, Bytes value, std::uint32_t flags = 0) {
        return guarded([&] { return lockstone_put(name, value.start, value.length, flags); });
    }
    /* The length of the value. BUFFER_TOO_SMALL says it too. */
    Result<std::size_t> get(const char *name, void *buffer, std::size_t size) {
        Result<std::size_t> result;
        result.status = guarded([&] { return lockstone_get(name, buffer, size, &result.value); });
        return result;
    }
    std::int32_t remove(const char *name) {
        return guarded([&] { return lockstone_delete(name); });
    }
    Result<lockstone_stats> stats() {
        Result<lockstone_stats> result;
        result.status = guarded([&] { return lockstone_get_stats(&result.value); });
        return result;
    }
    /* Calls with each name that begins with the prefix, until it returns false; 0 at the end. */
    template <typename Visit>
    std::int32_t each(const char *prefix, Visit visit) {
        lockstone_cursor cursor{};
        char name[256];
        for (;;) {
            std::int32_t status = guarded([&] { return lockstone_find(&cursor, prefix, name); });
            if (status == LOCKSTONE_E_NOT_FOUND) {
                return 0;
            }
            if (status != 0 || !visit(std::string_view(name))) {
                return status;
            }
        }
    }
    /* In order, and says how that went. */
    std::int32_t close() {
        if (!std::exchange(open_, false)) {
            return LOCKSTONE_E_NOT_OPEN;
        }
        status_ = LOCKSTONE_E_NOT_OPEN;
        return lockstone_close();
    }

  private:
    explicit Store(std::int32_t status) : status_(status), open_(status == 0) {}
    /* A store that was moved away, or closed, opens nothing by itself. */
    template <typename Call>
    std::int32_t guarded(Call call) {
        return open_ ? call() : LOCKSTONE_E_NOT_OPEN;
    }

    std::int32_t status_;
    bool open_;
};

namespace storage {

/*
 * A driver of CMSIS-Driver Storage, a volume too, initialised and powered for as long as this lives. Moves, never copies; one owner for
 * each driver, as the first of two that goes stops it for both. Assigned to one that has the same driver it stays as it is. For drivers
 * that work at once: of one that works later a status of 0 says that it has begun, and what it was given is its own until it calls back.
 */
class [[nodiscard]] Driver {
  public:
    Driver() = default;
    explicit Driver(ARM_DRIVER_STORAGE &driver, ARM_Storage_Callback_t callback = nullptr) : status_(driver.Initialize(callback)) {
        if (status_ < 0) {
            return;
        }
        std::int32_t powered = driver.PowerControl(ARM_POWER_FULL);
        if (powered < 0 && powered != ARM_DRIVER_ERROR_UNSUPPORTED) {
            status_ = powered;
            (void)driver.Uninitialize();
            return;
        }
        driver_ = &driver;
    }
    Driver(const Driver &) = delete;
    Driver &operator=(const Driver &) = delete;
    Driver(Driver &&other) noexcept
        : driver_(std::exchange(other.driver_, nullptr)), status_(std::exchange(other.status_, ARM_DRIVER_ERROR)) {}
    Driver &operator=(Driver &&other) noexcept {
        if (this != &other) {
            if (driver_ != other.driver_) {
                (void)close();
            }
            driver_ = std::exchange(other.driver_, nullptr);
            status_ = std::exchange(other.status_, ARM_DRIVER_ERROR);
        }
        return *this;
    }
    ~Driver() { (void)close(); }

    explicit operator bool() const { return driver_ != nullptr; }
    /* Why it is not initialised. */
    std::int32_t status() const { return status_; }

    /* How many bytes were read. */
    Result<std::uint32_t> read(std::uint64_t from, void *to, std::uint32_t size) {
        return counted([&] { return driver_->ReadData(from, to, size); });
    }
    /* How many bytes were programmed: whole units. */
    Result<std::uint32_t> program(std::uint64_t to, Bytes bytes) {
        if (bytes.length > UINT32_MAX) {
            return {ARM_DRIVER_ERROR_PARAMETER, 0};
        }
        return counted([&] { return driver_->ProgramData(to, bytes.start, static_cast<std::uint32_t>(bytes.length)); });
    }
    /* How many bytes were erased: fewer than asked for, maybe. */
    Result<std::uint32_t> erase(std::uint64_t from, std::uint32_t size) {
        return counted([&] { return driver_->Erase(from, size); });
    }
    Result<ARM_STORAGE_INFO> info() {
        Result<ARM_STORAGE_INFO> result;
        result.status = driver_ == nullptr ? ARM_DRIVER_ERROR : driver_->GetInfo(&result.value);
        return result;
    }
    /* Calls with each block, until it returns false. */
    template <typename Visit>
    void each_block(Visit visit) {
        ARM_STORAGE_BLOCK block{}, next{};
        const ARM_STORAGE_BLOCK *previous = nullptr;
        while (driver_ != nullptr && driver_->GetNextBlock(previous, &next) >= 0 && ARM_STORAGE_VALID_BLOCK(&next)) {
            block = next;
            previous = &block;
            if (!visit(static_cast<const ARM_STORAGE_BLOCK &>(block))) {
                return;
            }
        }
    }
    /* Without power, and says how giving it back went. */
    std::int32_t close() {
        if (driver_ == nullptr) {
            return ARM_DRIVER_ERROR;
        }
        status_ = ARM_DRIVER_ERROR;
        (void)driver_->PowerControl(ARM_POWER_OFF);
        return std::exchange(driver_, nullptr)->Uninitialize();
    }

  private:
    /* What was moved away, or closed, does nothing. */
    template <typename Call>
    Result<std::uint32_t> counted(Call call) {
        std::int32_t status = driver_ == nullptr ? ARM_DRIVER_ERROR : call();
        return {status, status > 0 ? static_cast<std::uint32_t>(status) : 0};
    }

    ARM_DRIVER_STORAGE *driver_ = nullptr;
    std::int32_t status_ = ARM_DRIVER_ERROR;
};

/* The Storage Volume Manager over one storage. There is one in a program: making another forgets the volumes of this one. */
class [[nodiscard]] Volumes {
  public:
    explicit Volumes(ARM_DRIVER_STORAGE &storage) : status_(StorageVolumeManager_initialize(&storage, nullptr)) {}

    explicit operator bool() const { return status_ >= 0; }
    std::int32_t status() const { return status_; }

    /* The driver of a new volume: for a `Driver`, or for a store, which initialises it itself. */
    Result<ARM_DRIVER_STORAGE *> add(std::uint64_t start, std::uint64_t size) {
        Result<ARM_DRIVER_STORAGE *> result;
        result.status = status_ < 0 ? status_ : StorageVolumeManager_addVolume(start, size, &result.value);
        return result;
    }
    /* The driver of the volume that an address of the storage is in. */
    Result<ARM_DRIVER_STORAGE *> at(std::uint64_t address) {
        Result<ARM_DRIVER_STORAGE *> result;
        result.status = status_ < 0 ? status_ : StorageVolumeManager_lookupVolume(address, &result.value);
        return result;
    }

  private:
    std::int32_t status_;
};

} // namespace storage

namespace cfstore {

/* CFSTORE, initialised for as long as this lives. Blocking: not for the asynchronous mode. */
class [[nodiscard]] Session {
  public:
    Session() : status_(cfstore_driver.Initialize(nullptr, nullptr)) {}
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;
    ~Session() {
        if (status_ >= 0) {
            (void)cfstore_driver.Uninitialize();
        }
    }
    explicit operator bool() const { return status_ >= 0; }
    std::int32_t status() const { return status_; }
    std::int32_t flush() { return cfstore_driver.Flush(); }

  private:
    std::int32_t status_;
};

/* An open key. Moves, never copies; closes when it is destroyed. */
class [[nodiscard]] Key {
  public:
    Key() = default;
    static Key create(const char *name, std::size_t length, const ARM_CFSTORE_KEYDESC &how = {}) {
        Key key;
        key.status_ = cfstore_driver.Create(name, length, &how, key.buffer_);
        key.open_ = key.status_ >= 0;
        return key;
    }
    static Key open(const char *name, ARM_CFSTORE_FMODE mode = {}) {
        Key key;
        key.status_ = cfstore_driver.Open(name, mode, key.buffer_);
        key.open_ = key.status_ >= 0;
        return key;
    }
    Key(const Key &) = delete;
    Key &operator=(const Key &) = delete;
    Key(Key &&other) noexcept { take(other); }
    Key &operator=(Key &&other) noexcept {
        if (this != &other) {
            (void)close();
            take(other);
        }
        return *this;
    }
    ~Key() { (void)close(); }

    explicit operator bool() const { return status_ >= 0; }
    std::int32_t status() const { return status_; }
    /* The next key that fits the pattern, after this one, which becomes it; false at the end. When Find is refused (a pattern
     * that is none, or busy) this stays open, and is closed as ever; status() is why. */
    bool find(const char *pattern) {
        Key next;
        next.status_ = cfstore_driver.Find(pattern, buffer_, next.buffer_);
        next.open_ = next.status_ >= 0;
        if (open_ && buffer_[0] != 0) {
            status_ = next.status_;
            return false;
        }
        take(next);
        return status_ >= 0;
    }
    Result<std::size_t> read(void *to, std::size_t size) {
        Result<std::size_t> result{0, size};
        result.status = cfstore_driver.Read(buffer_, to, &result.value);
        return said(result);
    }
    Result<std::size_t> write(Bytes from) {
        Result<std::size_t> result{0, from.length};
        result.status = cfstore_driver.Write(buffer_, static_cast<const char *>(from.start), &result.value);
        return said(result);
    }
    std::int32_t seek(std::size_t offset) { return cfstore_driver.Rseek(buffer_, offset); }
    std::int32_t remove() { return cfstore_driver.Delete(buffer_); }
    Result<std::size_t> length() {
        Result<std::size_t> result;
        result.status = cfstore_driver.GetValueLen(buffer_, &result.value);
        return result;
    }
    /* Copies the name and its NUL, clipped. */
    std::int32_t name(char *to, std::uint8_t size) { return cfstore_driver.GetKeyName(buffer_, to, &size); }
    std::int32_t close() {
        if (!std::exchange(open_, false)) {
            return status_;
        }
        status_ = ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE;
        return cfstore_driver.Close(buffer_);
    }

  private:
    /* Nothing was read or written when it failed. */
    static Result<std::size_t> said(Result<std::size_t> result) {
        if (result.status < 0) {
            result.value = 0;
        }
        return result;
    }
    void take(Key &other) {
        std::memcpy(buffer_, other.buffer_, sizeof(buffer_));
        status_ = std::exchange(other.status_, ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
        open_ = std::exchange(other.open_, false);
        std::memset(other.buffer_, 0, sizeof(other.buffer_));
    }

    std::uint8_t buffer_[CFSTORE_HANDLE_BUFSIZE] = {};
    std::int32_t status_ = ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE;
    bool open_ = false;
};

} // namespace cfstore
} // namespace lockstone

#endif
