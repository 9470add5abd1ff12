*** Settings ***
Documentation       The recipe (Test: backtest/cancellation) in Robot Framework: its requests, its expectations, its order.
...                 Where the recipe sleeps, the keyword is tried until it succeeds.
Library             Collections
Library             RequestsLibrary
Suite Setup         Create Session    ktrdr    http://localhost:%{KTRDR_API_PORT=8000}/api/v1    timeout=5

*** Variables ***
&{LONG}             model_path=models/neuro_mean_reversion/1d_v21/model.pt    strategy_name=neuro_mean_reversion
...                 symbol=EURUSD    timeframe=1d    start_date=2023-01-01    end_date=2024-12-31

*** Test Cases ***
Cancelling A Running Backtest Stops It Gracefully
    KTRDR Is Ready
    ${operation}=    Start A Backtest    &{LONG}
    Wait Until Keyword Succeeds    10s    250ms    Backtest Is Running Above Zero    ${operation}
    ${answer}=    DELETE On Session    ktrdr    /operations/${operation}    expected_status=200
    Should Be True    ${answer.json()}[success]
    ${before}=    Wait Until Keyword Succeeds    2s    250ms    Backtest Is Cancelled Or Failed    ${operation}
    Start A Backtest    &{LONG}    start_date=2024-01-01    end_date=2024-01-31
    Sleep    2s
    ${now}=    Backtest Is Cancelled Or Failed    ${operation}
    Should Be True    ${now} <= ${before}    its progress went from ${before} % to ${now} %

*** Keywords ***
KTRDR Is Ready
    ${health}=    GET On Session    ktrdr    /health    expected_status=200
    Should Be Equal    ${health.json()}[status]    ok
    ${workers}=    GET On Session    ktrdr    /workers    expected_status=200
    ${list}=    Evaluate    $workers.json().get("workers", []) if isinstance($workers.json(), dict) else $workers.json()
    ${types}=    Evaluate    [w.get("worker_type") or w.get("type") for w in $list]
    Should Contain Any    ${types}    backtesting    backtest    msg=no backtest worker is registered

Start A Backtest
    [Arguments]    &{what}
    ${answer}=    POST On Session    ktrdr    /backtests/start    json=${what}    expected_status=200
    Should Be True    ${answer.json()}[success]
    RETURN    ${answer.json()}[operation_id]

Read
    [Arguments]    ${operation}
    ${answer}=    GET On Session    ktrdr    /operations/${operation}    expected_status=200
    RETURN    ${answer.json()}[data]

Backtest Is Running Above Zero
    [Arguments]    ${operation}
    ${data}=    Read    ${operation}
    Should Be Equal    ${data}[status]    running
    Should Be True    ${data}[progress][percentage] > 0

Backtest Is Cancelled Or Failed
    [Arguments]    ${operation}
    ${data}=    Read    ${operation}
    Should Contain Any    ${{[$data["status"]]}}    cancelled    failed    msg=its status is ${data}[status]
    RETURN    ${data}[progress][percentage]
