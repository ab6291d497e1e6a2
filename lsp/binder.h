// The typed method table: one row per method.
//
//   bind.request("textDocument/inlineCompletion", inline_completion);
//   bind.request("kinglet/status", &Session::status, this);
//   bind.notification("textDocument/didOpen", &Session::did_open, this);
//
// Types are taken from the handler's signature:
//   request       Response<R> (const P&)                       answers at once
//                 void (const P&, std::stop_token, Reply<R>)   answers later, from anywhere that
//                                                              runs on the server's thread
//   notification  void (const P&)  or  Result<void> (const P&)  an error goes to the log
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "daemon/base/result.h"
#include "lsp/json.h"
#include "lsp/protocol.h"

namespace kinglet::lsp {

/// Answers one request exactly once. Copies share the one answer; when the last copy goes without
/// having answered, the client gets an InternalError. A second answer is a bug (assert). Harmless
/// once the server is gone. For the server's thread.
class RawReply {
 public:
  using Answer = std::function<void(Response<Json>)>;
  RawReply(std::string method, Answer answer);

  void operator()(Response<Json> response) const;
  bool is_answered() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

template <class R>
class Reply {
 public:
  explicit Reply(RawReply raw) : raw_(std::move(raw)) {}

  /// Takes an R, an error, or a Result<R>.
  void operator()(Response<R> response) const {
    if (response) {
      raw_(Json(*std::move(response)));
    } else {
      raw_(tl::unexpected(std::move(response).error()));
    }
  }
  /// The client cancelled and nobody wants the result: RequestCancelled.
  void cancelled() const { raw_(fail(ResponseCode::kRequestCancelled, "cancelled by the client")); }
  bool is_answered() const { return raw_.is_answered(); }

 private:
  RawReply raw_;
};

namespace detail {

template <class T>
struct Signature : Signature<decltype(&T::operator())> {};
template <class R, class... Args>
struct Signature<R (*)(Args...)> {
  using Result = R;
  static constexpr std::size_t kArity = sizeof...(Args);
  template <std::size_t I>
  using Arg = std::remove_cvref_t<std::tuple_element_t<I, std::tuple<Args...>>>;
};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...)> : Signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...) const> : Signature<R (*)(Args...)> {};

template <class T>
struct ReplyResult;
template <class R>
struct ReplyResult<Reply<R>> {
  using Type = R;
};

}  // namespace detail

class Binder {
 public:
  using RequestHandler = std::function<void(const Json& params, std::stop_token, RawReply)>;
  using NotificationHandler = std::function<Result<void>(const Json& params)>;

  template <class Handler>
  void request(std::string method, Handler handler) {
    using Signature = detail::Signature<std::decay_t<Handler>>;
    add_request<Signature>(std::move(method), std::move(handler));
  }
  template <class Object, class Member>
  void request(std::string method, Member member, Object* object) {
    add_request<detail::Signature<Member>>(std::move(method), std::bind_front(member, object));
  }

  template <class Handler>
  void notification(std::string method, Handler handler) {
    using Signature = detail::Signature<std::decay_t<Handler>>;
    add_notification<Signature>(std::move(method), std::move(handler));
  }
  template <class Object, class Member>
  void notification(std::string method, Member member, Object* object) {
    add_notification<detail::Signature<Member>>(std::move(method), std::bind_front(member, object));
  }

  /// Null if nobody bound the method.
  const RequestHandler* find_request(std::string_view method) const;
  const NotificationHandler* find_notification(std::string_view method) const;

 private:
  template <class Signature, class Handler>
  void add_request(std::string method, Handler handler) {
    using Params = typename Signature::template Arg<0>;
    RequestHandler raw = [handler = std::move(handler)](
                             const Json& json, std::stop_token stop, RawReply reply) {
      auto params = read_json<Params>(json, "params");
      if (!params) return reply(tl::unexpected(ResponseError(params.error())));
      if constexpr (Signature::kArity == 1) {
        auto response = handler(*params);
        if (response) return reply(Json(*std::move(response)));
        reply(tl::unexpected(ResponseError(std::move(response).error())));
      } else {
        static_assert(Signature::kArity == 3 && std::is_void_v<typename Signature::Result>,
                      "a request handler is Response<R>(P) or void(P, std::stop_token, Reply<R>)");
        using R = typename detail::ReplyResult<typename Signature::template Arg<2>>::Type;
        handler(*params, std::move(stop), Reply<R>(std::move(reply)));
      }
    };
    insert(std::move(method), std::move(raw));
  }

  template <class Signature, class Handler>
  void add_notification(std::string method, Handler handler) {
    static_assert(Signature::kArity == 1, "a notification handler takes its params alone");
    using Params = typename Signature::template Arg<0>;
    NotificationHandler raw = [handler = std::move(handler)](const Json& json) -> Result<void> {
      auto params = TRY(read_json<Params>(json, "params"));
      if constexpr (std::is_void_v<typename Signature::Result>) {
        handler(std::move(params));
        return {};
      } else {
        return handler(std::move(params));
      }
    };
    insert(std::move(method), std::move(raw));
  }

  void insert(std::string method, RequestHandler handler);
  void insert(std::string method, NotificationHandler handler);

  std::map<std::string, RequestHandler, std::less<>> requests_;
  std::map<std::string, NotificationHandler, std::less<>> notifications_;
};

}  // namespace kinglet::lsp
